/** Asks a verifier as a gateway does: over TLS, by the certificate's name. */
import { request } from 'node:https';
import { text } from 'node:stream/consumers';

export interface Gateway {
  port: number;
  servername: string;
  ca: string;
}

export interface Answer {
  status: number | undefined;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

/** @param form given, it is posted */
export function ask(
  { port, servername, ca }: Gateway,
  path: string,
  token: string,
  form?: Record<string, string>,
): Promise<Answer> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
  };
  const options = { host: '127.0.0.1', port, servername, ca, path, headers, agent: false as const };
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, method: form ? 'POST' : 'GET' }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, headers: response.headers, body }), reject);
    });
    asked.on('error', reject).end(form && new URLSearchParams(form).toString());
  });
}
