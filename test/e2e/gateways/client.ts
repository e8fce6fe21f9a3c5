/** A client that sends what it is told to, well-formed or not. */
import { request } from 'node:http';

export interface Question {
  method?: string;
  /** As it stands in the request line. */
  target: string;
  token?: string | undefined;
  headers?: readonly (readonly [name: string, value: string])[];
  body?: Buffer;
  /** Called with what has come so far. */
  onData?: (soFar: string) => void;
}

export interface Answer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** Not the gateway's own address, which verifiers trust. */
export const CLIENT_ADDRESS = '127.0.0.2';

export function ask(
  port: number,
  { method = 'GET', target, token, headers = [], body, onData }: Question,
): Promise<Answer> {
  const sent = [['host', `127.0.0.1:${port}`], ...headers];
  if (token !== undefined) sent.push(['authorization', `Bearer ${token}`]);
  if (body !== undefined) sent.push(['content-length', String(body.length)]);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        localAddress: CLIENT_ADDRESS,
        port,
        method,
        path: target,
        headers: sent.flat(),
        agent: false,
        timeout: 20_000,
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          onData?.(text);
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`no answer in 20 s to ${method} ${target}`)));
    asked.on('error', reject);
    asked.end(body);
  });
}
