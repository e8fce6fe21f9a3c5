/** `tokenwright revoke` where the API server does not take the order at once. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RevokeOptions, revoke } from '../../src/cli/revoke.ts';
import { type KubeClient, KubeError, type KubeErrorReason } from '../../src/ports.ts';

const answer = (reason: KubeErrorReason, status: number) =>
  new KubeError({ reason, status, transient: status === 503 || status === 0, message: `it says ${status}` });
const NOT_YET = answer('Unavailable', 503);

/** What the API server says to one attempt after the other; the last one stands. */
let answers: (KubeError | 'created')[];
/** The names that were sent. */
let sent: string[];
let printed: string;
let notes: string[];

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  printed = '';
  notes = [];
});
afterEach(() => {
  vi.useRealTimers();
});

const options: RevokeOptions = {
  name: 'leaked',
  tokenID: undefined,
  subject: undefined,
  environment: undefined,
  labels: undefined,
  reason: 'Compromised',
  versions: 'All',
  block: false,
  note: undefined,
  allNamespaces: false,
  dryRun: false,
  wait: false,
  timeoutSeconds: 1,
};

/** How it ends once no more time passes. */
async function ends(): Promise<unknown> {
  const client = {
    create: async (_: unknown, { metadata }: { metadata: { name: string } }) => {
      const said = answers[Math.min(sent.length, answers.length - 1)];
      sent.push(metadata.name);
      if (said instanceof KubeError) throw said;
      return {};
    },
    list: async () => {
      throw answer('Forbidden', 403);
    },
  } as unknown as KubeClient;
  const terminal = {
    print: (text: string) => {
      printed += text;
    },
    note: (line: string) => notes.push(line),
    paint: (_: unknown, text: string) => text,
  };
  const session = { client, server: 'https://cluster', namespace: 'support', terminal, now: () => 1_800_000_000 };
  const ended = revoke(session, options).then(
    () => 'done',
    (error: unknown) => error,
  );
  await vi.runAllTimersAsync();
  return ended;
}

describe('an order', () => {
  it('that the API server does not take yet is sent again, under the same name', async () => {
    answers = [NOT_YET, NOT_YET, 'created'];
    expect([await ends(), sent.length, new Set(sent).size]).toEqual(['done', 3, 1]);
    expect(printed).toBe(`tokenrevocation.tokenwright.dev/${sent[0]} created\n`);
    expect(notes[0]).toBe('The API server does not take it yet (it says 503); trying again.');
  });

  it('that was taken although it said that it was not is there', async () => {
    answers = [NOT_YET, answer('AlreadyExists', 409)];
    expect([await ends(), sent.length]).toEqual(['done', 2]);
  });

  it.each([
    ['never taken', NOT_YET, 10],
    ['refused', answer('Forbidden', 403), 1],
    ['not answered', answer('Unavailable', 0), 1],
    ['somebody else’s', answer('AlreadyExists', 409), 1],
  ])('that is %s is told of as such', async (_, error, attempts) => {
    answers = [error];
    expect([await ends(), sent.length, printed]).toEqual([error, attempts, '']);
  });
});
