/** Asks a verifier what it remembers, for the command line. */
import { Agent, request } from 'undici';
import { Failure } from '../cli/failure.ts';
import type { AskVerifier, LastUseAnswer } from '../cli/last-use.ts';

export interface VerifierAccess {
  /** Such as https://10.0.1.7:8443. */
  origin: string;
  /** Of Kubernetes, for the audience tokenwright.dev. */
  token: string;
  /** Of who signed its certificate, in PEM. Those that Node knows where undefined. */
  ca: string | undefined;
  /** What its certificate is for. The host of `origin` where undefined. */
  serverName: string | undefined;
}

/** What a verifier takes in one question. */
const BATCH = 100;
const PATIENCE_MS = 10_000;

/** What the status of an answer asks of people. */
const ADVICE: Readonly<Record<number, string>> = {
  401: 'does not take the token. Give one of a ServiceAccount: kubectl create token NAME --audience=tokenwright.dev',
  403: 'does not answer to this account. Ask for a ClusterRoleBinding to the ClusterRole tokenwright-last-use-reader.',
  503: 'cannot ask the API server who you are. Try again.',
};

export function lastUseOf({ origin, token, ca, serverName }: VerifierAccess): AskVerifier {
  return async (uids) => {
    const connect = { timeout: PATIENCE_MS, ...(ca && { ca }), ...(serverName && { servername: serverName }) };
    const dispatcher = new Agent({ connect, headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS });
    const ask = async (batch: readonly string[]) => {
      const query = batch.map((uid) => `uid=${encodeURIComponent(uid)}`).join('&');
      const { statusCode, body } = await request(`${origin}/last-use?${query}`, {
        dispatcher,
        headers: { authorization: `Bearer ${token}` },
      }).catch((error: NodeJS.ErrnoException) => {
        throw new Failure(noAnswer(origin, error));
      });
      const text = await body.text();
      if (statusCode !== 200)
        throw new Failure(`${origin} ${ADVICE[statusCode] ?? `answers ${statusCode}: is it a verifier?`}`);
      return parsed(origin, text);
    };
    try {
      const answer = await ask(uids.slice(0, BATCH));
      const versions = [...answer.versions];
      for (let at = BATCH; at < uids.length; at += BATCH) {
        const more = await ask(uids.slice(at, at + BATCH));
        if (more.verifier !== answer.verifier || more.since !== answer.since)
          throw new Failure(`${origin} leads to several verifiers. Give each of them by an address of its own.`);
        versions.push(...more.versions);
      }
      return { ...answer, versions };
    } finally {
      await dispatcher.close();
    }
  };
}

function noAnswer(origin: string, { code, message }: NodeJS.ErrnoException): string {
  const said = `${origin} does not answer (${code ?? message}).`;
  if (!/CERT|VERIFY|SSL|TLS/.test(code ?? '')) return said;
  return `${said} Name who signed its certificate by --ca-file, and what it is for by --server-name.`;
}

function parsed(origin: string, text: string): LastUseAnswer {
  try {
    const { verifier, environment, since, versions } = JSON.parse(text) as Partial<LastUseAnswer>;
    if (verifier !== undefined && environment !== undefined && since !== undefined && Array.isArray(versions))
      return { verifier, environment, since, versions };
  } catch {
    // told below
  }
  throw new Failure(`${origin} answers what no verifier of this version does.`);
}
