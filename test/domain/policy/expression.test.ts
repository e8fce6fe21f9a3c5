import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expression, fact, timestamp } from '../../../src/domain/policy/expression.ts';
import { NOW, policyOf, tokenOf, told } from './policies.ts';
import { FUZZ, fuzz, STALL, stallOf } from './stalls.ts';

const RULE = { name: 'team', message: 'label the ApiToken with team' };
const METADATA = { labels: { team: 'support', constructor: 'x' }, annotations: { 'example.com/ticket': 'T-1' } };
const says = (text: string, token = tokenOf({ rateLimits: [{ requests: 600, per: '1m' }] }, METADATA)) =>
  told({ rules: [{ ...RULE, expression: text }] }, token);

const HOLDS = [
  'true',
  'has(token.metadata.labels.team)',
  'token.metadata.labels["team"] in ["support", "search"]',
  'token.metadata.labels.constructor == "x"',
  'token.metadata.name == "summarizer" && token.metadata.namespace == namespaceObject.metadata.name',
  'namespaceObject.metadata.labels.tier == "prod"',
  'token.metadata.annotations["example.com/ticket"].matches("^T-[0-9]+$")',
  'token.spec.scopes.all(scope, scope.matches("^[a-z]{1,63}:[a-z0-9-]{1,63}$"))',
  'token.spec.scopes.exists(scope, token.spec.audiences.exists(audience, scope != audience))',
  'token.spec.rateLimits[0].requests * 2 == 1200',
  'duration(token.spec.ttl) <= duration("24h")',
  'now == timestamp("2027-01-15T08:00:00Z") && now.getHours() == 8',
  'now - timestamp("2027-01-15T07:00:00Z") == duration("1h")',
  '!has(token.spec.owner)',
  'size(token.spec.scopes) == 2 && type(token.spec.ttl) == string',
  // or passes over what its other side cannot tell
  'token.spec.owner == "x" || true',
];

const GIVES_NO_ANSWER: [expression: string, why: string][] = [
  ['token.spec.owner == "x"', 'field not found: owner'],
  ['token.spec.ttl', 'it gives no boolean'],
  ['1', 'it gives no boolean'],
  ['null', 'it gives no boolean'],
  ['token.spec.ttl > 1', "found no matching overload for '_>_' applied to '(string, int)'"],
  ['1 / 0 == 1', 'int divide by zero'],
  ['token.spec.scopes[5] == ""', 'index 5 out of bounds [0, -1)'],
];

const BROKEN: [expression: string, problem: RegExp][] = [
  ['', /is not in the Common Expression Language/],
  ['true ||', /is not in the Common Expression Language: at 1:/],
  ['a'.repeat(1025), /has at most 1024 characters/],
  [`${'('.repeat(51)}true${')'.repeat(51)}`, /nests at most 50 brackets/],
  ['tokens.spec', /"tokens" is not known: use token, namespaceObject, now/],
  ['[1].all(x, y > x)', /"y" is not known/],
  ['[1].all(x, true) && x == 1', /"x" is not known/],
  ['lenght(token.spec.scopes) > 1', /there is no function lenght/],
  ['token.spec.ttl.replace("h", "m") == ""', /there is no function replace/],
  ['google.protobuf.Any{} == null', /is not known: use no messages/],
  ['[1].all(a, [1].all(b, [1].all(c, true)))', /nest at most 2/],
  ['token.spec.ttl.matches(token.spec.owner)', /its pattern as a literal/],
  ['token.spec.ttl.matches("(")', /is no regular expression of RE2/],
  ['token.spec.ttl.matches("(?=a)")', /is no regular expression of RE2/],
  ['token.spec.ttl.matches("a{1000}")', /is too large/],
  ['token.spec.ttl.matches("((a{10}){10}){10}")', /is too large: use smaller repetitions/],
  ['token.spec.ttl.matches("\\\\pL")', /is too large/],
];

describe('a rule', () => {
  it.each(HOLDS)('holds: %s', (text) => {
    expect(says(text)).toEqual([]);
  });

  it('that does not hold says what its author wrote', () => {
    expect(says('has(token.metadata.labels.team)', tokenOf())).toEqual([
      'TokenPolicy prod-ai, rule team: label the ApiToken with team',
    ]);
  });

  it.each(GIVES_NO_ANSWER)('that gives no answer does not hold: %s', (text, why) => {
    expect(says(text)).toEqual([
      `TokenPolicy prod-ai, rule team: label the ApiToken with team (its expression gives no answer: ${why})`,
    ]);
  });

  it.each(BROKEN)('breaks its policy: %s', (text, problem) => {
    expect(policyOf({ rules: [{ ...RULE, expression: text }] }).problem).toMatch(problem);
  });

  it('that is broken leaves what the policy says of use as it is', () => {
    const { limits } = policyOf({ allow: { scopes: ['a'] }, rules: [{ ...RULE, expression: '(' }] });
    expect([limits.allowsScope('a'), limits.allowsScope('b')]).toEqual([true, false]);
  });
});

/** The largest that the API server takes, and more. */
const huge = 'x'.repeat(200_000);
const HUGE = {
  token: fact({
    metadata: {
      name: 'a',
      namespace: 'n',
      labels: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, 'v'])),
      annotations: { huge, other: 'ab'.repeat(100_000) },
    },
    spec: {
      scopes: Array.from({ length: 64 }, (_, i) => `chat:${i}`.padEnd(64, 'a')),
      audiences: Array.from({ length: 32 }, (_, i) => `a${i}`.padEnd(253, 'b')),
      purpose: 'p'.repeat(1024),
    },
  }),
  namespaceObject: fact({ metadata: { name: 'n', labels: {} } }),
  now: timestamp(NOW),
};
const LABELS = 'token.metadata.labels';
const SCOPES = 'token.spec.scopes';
const TEXT = 'token.metadata.annotations.huge';

/** Of each way to make much of little, the worst that is known. */
const HOSTILE = [
  `${SCOPES}.all(a, ${SCOPES}.all(b, true))`,
  `${LABELS}.all(a, ${LABELS}.all(b, true))`,
  `${LABELS}.all(a, a < 1 || true)`,
  `${SCOPES}.all(a, ${SCOPES}.all(b, a < 1 || b < 1 || true))`,
  `${LABELS}.all(a, token.x || token.x || token.x || true)`,
  `${SCOPES}.all(a, ${'a.b || '.repeat(80)} true)`,
  `${LABELS}.map(a, a).size() > 0`,
  `[1]${'.map(a, [a, a])'.repeat(50)}.size() > 0`,
  `["x"]${'.map(a, a + a)'.repeat(60)}.size() > 0`,
  `${LABELS}.all(a, ${LABELS}[1] == 1 || true)`,
  `${LABELS}.all(a, a in ${LABELS})`,
  `${TEXT}.matches("(x|y)*z(x|y){99}$")`,
  'token.spec.purpose.matches("(?:p?){90}p{90}")',
  `token.spec.purpose.matches("${'[a-z]'.repeat(190)}")`,
  `${SCOPES}.all(a, a.matches("(.*)(.*)(.*)(.*)(.*)[0-9]x"))`,
  `${TEXT}.contains(token.metadata.annotations.other)`,
  `${TEXT}.split("").size() > 0`,
  `${TEXT}.split("x").join("${'y'.repeat(500)}").size() > 0`,
  `${SCOPES}.all(a, size(${TEXT}) > 1)`,
  `int(${TEXT}) > 1`,
  `${LABELS}.all(a, timestamp("2026-01-01T00:00:00Z") < now)`,
  `${LABELS}.all(a, timestamp(a) < now || true)`,
  `${LABELS}.all(a, now.getHours("Europe/Berlin") == 1 || true)`,
  `${LABELS}.all(a, duration("1h") < duration("2h"))`,
  `${LABELS}.all(a, int(a) == 1 || true)`,
  `${LABELS}.all(a, [a].all(b, [b] == [a]))`,
  `${TEXT}.lowerAscii().upperAscii().trim() == ""`,
  'token == token && [token, token] == [token, token]',
  `1${'+1'.repeat(500)} > 0`,
  `${'!'.repeat(1000)}true`,
  `${'('.repeat(50)}true${')'.repeat(50)}`,
  `${'['.repeat(50)}${']'.repeat(50)} == []`,
  `${'{1:'.repeat(50)}1${'}'.repeat(50)} == {}`,
  `${'['.repeat(500)}${']'.repeat(500)} == []`,
  `token${'.a'.repeat(500)}`,
  `token${'[0]'.repeat(300)}`,
  `${'('.repeat(1000)}`,
  `${'f('.repeat(500)}`,
  `${'true?(true?'.repeat(90)}`,
  `"${'\\'.repeat(1000)}"`,
];

const VARIABLES = ['token', 'namespaceObject', 'now'];

/** Compiled and evaluated where it can be. Anything but a sentence is thrown on. */
function attempt(text: string): void {
  let evaluate: ReturnType<typeof expression>;
  try {
    evaluate = expression(text, VARIABLES);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return;
  }
  const answer = evaluate(HUGE);
  if (typeof answer !== 'boolean') expect(answer.problem.length).toBeLessThan(200);
}

describe('an expression', () => {
  it.each(HOSTILE)('stalls nothing: %s', (text) => {
    expect(stallOf(() => attempt(text))).toBeLessThan(STALL);
  });

  it('has as much to spend each time', () => {
    const evaluate = expression(`${SCOPES}.all(a, ${SCOPES}.all(b, true))`, VARIABLES);
    expect([1, 2, 3].map(() => evaluate(HUGE))).toEqual([true, true, true]);
  });

  it('that takes too long gives no answer, though "or" passes over errors', () => {
    const evaluate = expression(`${LABELS}.all(a, ${LABELS}.all(b, true)) || true`, VARIABLES);
    expect(evaluate(HUGE)).toEqual({ problem: 'it takes too long' });
  });

  const piece = fc.constantFrom(
    ...[
      'token',
      '.spec',
      '.scopes',
      '.metadata',
      '.labels',
      '.all(a, ',
      '.exists(b, ',
      '.map(c, ',
      '.filter(d, ',
      'a',
      'b',
      'c',
    ],
    ...[
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '?',
      '==',
      '<',
      '+',
      '-',
      '*',
      '/',
      '%',
      '!',
      '&&',
      '||',
      ' in ',
      'has(',
      'size(',
    ],
    ...[
      '1',
      '1u',
      '1.5',
      '-1',
      '"a"',
      "'b'",
      'b"c"',
      'r"d"',
      'true',
      'null',
      'now',
      '.matches("',
      '(a|b)*{9}',
      '")',
      '.split("',
      '"',
    ],
    ...[
      'timestamp(',
      'duration(',
      'int(',
      'string(',
      '.getHours()',
      '"""',
      '\\',
      '\n',
      '//',
      '😀',
      '\0',
      '`x`',
      'int',
      'type(',
    ],
  );
  const tangle = fc.array(piece, { maxLength: 60 }).map((all) => all.join(''));
  const closed = tangle.map((text) => {
    const open = [...text].filter((one) => '([{'.includes(one));
    return (
      text +
      open
        .reverse()
        .map((one) => ({ '(': ')', '[': ']', '{': '}' })[one])
        .join('')
    );
  });

  const known = fc.constantFrom(...HOLDS, ...HOSTILE);
  const altered = fc
    .tuple(known, fc.nat(1024), fc.nat(3), piece)
    .map(([text, at, less, more]) => text.slice(0, at) + more + text.slice(at + less));

  it('of anything is evaluated, or refused in a sentence, and without a stall', FUZZ, async () => {
    const anything = fc.oneof(
      { arbitrary: fc.string({ maxLength: 1024 }), weight: 3 },
      { arbitrary: tangle, weight: 3 },
      { arbitrary: closed, weight: 3 },
      // the worst that is known, altered, takes longer than all the others together
      { arbitrary: altered, weight: 1 },
    );
    await fuzz(anything, attempt);
  });
});
