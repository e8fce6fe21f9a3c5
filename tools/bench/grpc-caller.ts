/** Asks for verdicts over gRPC for so many seconds, as fast as it can, and prints how many there were. Its job is JSON on stdin. */
import { json } from 'node:stream/consumers';
import { Client, credentials } from '@grpc/grpc-js';
import { CHECK_REQUEST, CHECK_RESPONSE } from '../../src/verifier/doors/ext-authz-messages.ts';

export const CHECK_METHOD = '/envoy.service.auth.v3.Authorization/Check';

interface Job {
  port: number;
  audience: string;
  values: string[];
  seconds: number;
}

/** Calls under way at a time. */
const STREAMS = 64;

async function main(): Promise<void> {
  const { port, audience, values, seconds } = (await json(process.stdin)) as Job;
  const questions = values.map((value) => question(audience, value));
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const took: number[] = [];
  const until = performance.now() + seconds * 1000;
  const stream = async (): Promise<void> => {
    while (performance.now() < until) {
      const began = performance.now();
      const answer = await ask(client, questions[took.length % questions.length] ?? Buffer.alloc(0));
      if (!answer.okResponse) throw new Error(`unexpected answer: ${JSON.stringify(answer)}`);
      took.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: STREAMS }, stream));
  client.close();
  took.sort((a, b) => a - b);
  console.log(JSON.stringify({ calls: took.length, p99: took[Math.floor(took.length * 0.99)] }));
}

/** As Envoy asks. */
function question(audience: string, value: string): Buffer {
  const http = { method: 'POST', path: '/v1/chat', headers: { authorization: `Bearer ${value}` } };
  const attributes = { request: { http }, contextExtensions: { audience, scope: 'chat:write' } };
  return Buffer.from(CHECK_REQUEST.encode(CHECK_REQUEST.fromObject({ attributes })).finish());
}

function ask(client: Client, bytes: Buffer): Promise<{ okResponse?: object | null }> {
  return new Promise((resolve, reject) => {
    const asIs = (sent: Buffer) => sent;
    client.makeUnaryRequest(CHECK_METHOD, asIs, asIs, bytes, (error, received) => {
      if (error || !received) reject(error ?? new Error('no answer'));
      else resolve(CHECK_RESPONSE.decode(received).toJSON());
    });
  });
}

if (import.meta.main) await main();
