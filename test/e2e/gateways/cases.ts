/** Each case of the table in docs/gateways.md, brought about. */
import { expect } from 'vitest';
import { composeValue, tokenIDOf } from '../../../src/domain/value.ts';
import { ENVIRONMENT } from '../harness/manifests.ts';
import type { Answer, Question } from './client.ts';
import type { Scene } from './scene.ts';

/** For what goes through the API server's watches. */
export const SOON = { timeout: 60_000, interval: 20 };

/** `chat` makes a call that is allowed but for what is said otherwise. Whoever runs a case puts the verifier back. */
export function casesIn(
  scene: () => Scene,
  chat: (question?: Partial<Question>) => Promise<Answer>,
): Record<string, () => Promise<Answer>> {
  return {
    allowed: chat,
    'no token': () => chat({ token: undefined }),
    'token unknown, expired, retired, revoked or suspended': () =>
      chat({ token: composeValue(ENVIRONMENT, tokenIDOf('nobody'), new Uint8Array(32)).reveal() }),
    'two tokens, or one in the URL': () => chat({ headers: [['x-api-key', scene().token('models')]] }),
    'scope missing, or no such route': () => chat({ token: scene().token('models') }),
    'rate limit': async () => {
      await chat({ token: scene().token('limited') });
      return chat({ token: scene().token('limited') });
    },
    'audience not declared': async () => {
      await scene().undeclareAudience();
      const answer = await until(chat, ({ status }) => status >= 500);
      await scene().declareAudience();
      await until(chat, ({ status }) => status === 200);
      return answer;
    },
    'verifier cut off from the API server': () => {
      scene().use('stale');
      // what it knows is good for a second
      return until(chat, ({ status }) => status >= 500);
    },
    "provider's key missing": async () => {
      await scene().setUpstream({ header: 'authorization', value: 'Bearer $(key)' });
      const answer = await until(chat, ({ status }) => status >= 500);
      await scene().setUpstream(null);
      await until(chat, ({ status }) => status === 200);
      return answer;
    },
    'verifier down': () => {
      scene().loseVerifier('refuse');
      return chat();
    },
    'verifier silent': () => {
      scene().loseVerifier('fallSilent');
      return chat();
    },
    'verifier with a certificate of somebody else': () => {
      scene().useImpostor();
      return chat();
    },
  };
}

async function until(look: () => Promise<Answer>, isSo: (answer: Answer) => boolean): Promise<Answer> {
  let answer = await look();
  const again = async () => {
    answer = await look();
    return isSo(answer);
  };
  await expect.poll(again, SOON).toBe(true);
  return answer;
}
