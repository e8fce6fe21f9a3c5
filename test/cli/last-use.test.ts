import { describe, expect, it } from 'vitest';
import { type LastUseAnswer, type LastUseOptions, lastUse } from '../../src/cli/last-use.ts';
import type { Session } from '../../src/cli/session.ts';
import type { KubeClient } from '../../src/ports.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z') / 1000;

const token = (name: string, environment = 'production') => ({
  metadata: { name, namespace: 'support', uid: `uid-${name}` },
  spec: { environment },
  status: {
    versions: [
      { version: 2, state: 'Current' },
      { version: 1, state: 'Previous' },
    ],
  },
});

const answer = (verifier: string, more: Partial<LastUseAnswer> = {}): LastUseAnswer => ({
  verifier,
  environment: 'production',
  since: '2026-11-23T09:00:00Z',
  versions: [],
  ...more,
});

const used = (name: string, version: number, time: string) => ({
  uid: `uid-${name}`,
  version,
  lastUseTime: `2026-11-23T${time}Z`,
});

async function told(tokens: object[], answers: LastUseAnswer[], more: Partial<LastUseOptions> = {}) {
  let stdout = '';
  const notes: string[] = [];
  const asked: string[][] = [];
  const session = {
    client: { list: async () => tokens } as unknown as KubeClient,
    namespace: 'support',
    now: () => NOW,
    terminal: {
      print: (text: string) => {
        stdout += text;
      },
      note: (line: string) => void notes.push(line),
      paint: (_: unknown, text: string) => text,
    },
  } as unknown as Session;
  const done = lastUse(session, {
    names: [],
    allNamespaces: false,
    output: undefined,
    verifiers: answers.map((one) => async (uids) => {
      asked.push([...uids]);
      return one;
    }),
    rollCall: async () => answers.map(({ verifier }) => verifier),
    ...more,
  });
  const failure = await done.then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { rows: stdout.trimEnd().split('\n').slice(1), stdout, notes, asked, failure };
}

describe('the last use of a version', () => {
  it('is the last at any verifier', async () => {
    const { rows, asked } = await told(
      [token('a')],
      [
        answer('v-1', { versions: [used('a', 2, '11:00:00'), used('a', 1, '10:59:00')] }),
        answer('v-2', { versions: [used('a', 2, '11:59:57'), used('b', 1, '11:59:59')] }),
      ],
    );
    expect(rows.map((row) => row.split(/ {3,}/))).toEqual([
      ['a', '2', 'Current', '3s ago'],
      ['a', '1', 'Previous', '61m ago'],
    ]);
    expect(asked).toEqual([['uid-a'], ['uid-a']]);
  });

  it('is known to be none only since the verifier that knows least has run', async () => {
    const { rows } = await told([token('a')], [answer('v-1'), answer('v-2', { since: '2026-11-23T11:55:00Z' })]);
    expect(rows[0]).toMatch(/ not in 5m$/);
  });

  it('is unknown where no verifier of its environment was asked', async () => {
    const versions = [used('a', 2, '11:00:00')];
    const { rows } = await told([token('a', 'staging')], [answer('v-1', { versions })]);
    expect(rows[0]).toMatch(/ unknown$/);
  });

  it('is told to machines with times, and with who was asked, once each', async () => {
    const versions = [used('a', 2, '11:00:00')];
    const said = answer('v-1', { versions });
    const { stdout } = await told([token('a')], [said, said], { output: 'json' });
    const of = { namespace: 'support', name: 'a' };
    expect(JSON.parse(stdout)).toEqual({
      verifiers: [{ verifier: 'v-1', environment: 'production', since: said.since }],
      notAsked: [],
      versions: [
        { ...of, version: 2, state: 'Current', lastUseTime: '2026-11-23T11:00:00Z' },
        { ...of, version: 1, state: 'Previous', unusedSince: said.since },
      ],
    });
  });
});

describe('whether all verifiers were asked', () => {
  it('is judged by the environments of the ApiTokens', async () => {
    const environments: string[] = [];
    const rollCall = async (some: readonly string[]) => {
      environments.push(...some);
      return ['v-1', 'v-2'];
    };
    const tokens = [token('a'), token('b'), token('c', 'staging')];
    const { failure, rows } = await told(tokens, [answer('v-1')], { rollCall });
    expect(environments).toEqual(['production', 'staging']);
    expect(failure).toContain('Not asked: v-2.');
    expect(rows).toHaveLength(6);
  });

  it('may be unknown', async () => {
    const { failure, notes } = await told([token('a')], [answer('v-1')], { rollCall: async () => undefined });
    expect({ failure, notes }).toEqual({ failure: undefined, notes: [expect.stringContaining('is not known')] });
  });

  it('does not matter where there are no ApiTokens', async () => {
    const { asked, notes, stdout } = await told([], [answer('v-1')]);
    expect({ asked, notes, stdout }).toEqual({ asked: [], notes: ['No ApiTokens found.'], stdout: '' });
  });
});
