/** The limit for verdicts over gRPC: a server of the same library that says yes to everything, with the headers of a real answer. */
import { Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { IDENTITY_HEADERS } from '../../src/verifier/doors/answer.ts';
import { CHECK_RESPONSE, overwriting } from '../../src/verifier/doors/ext-authz-messages.ts';
import { CHECK_METHOD } from './grpc-caller.ts';

const set = Object.fromEntries(IDENTITY_HEADERS.map((name) => [name, 'as long as they are']));
const response = {
  status: { code: 0 },
  okResponse: { headers: overwriting(set), headersToRemove: ['authorization', 'x-api-key'] },
};
const answer = Buffer.from(CHECK_RESPONSE.encode(CHECK_RESPONSE.fromObject(response)).finish());
const asIs = (bytes: Buffer) => bytes;

const server = new Server();
const check = (_call: unknown, respond: sendUnaryData<Buffer>) => respond(null, answer);
server.register(CHECK_METHOD, check, asIs, asIs, 'unary');
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
