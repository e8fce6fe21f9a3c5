/** What clients try, so as to be taken for somebody else, or to be judged by another path than the one that is served. */
import { IDENTITY_HEADERS } from '../../../src/verifier/doors/answer.ts';

export type Headers = readonly (readonly [name: string, value: string])[];

export const FORGED = 'forged';

/** Every identity header, in more than one spelling and more than once. */
export const FORGED_IDENTITY: Headers = IDENTITY_HEADERS.flatMap((name) => [
  [name, FORGED],
  [name.toUpperCase(), FORGED],
]);

/** As CGI, WSGI and others read them: the same as with hyphens. */
export const UNDERSCORED_IDENTITY: Headers = IDENTITY_HEADERS.flatMap((name) => [
  [name.replaceAll('-', '_'), FORGED],
  [name.replace('-', '_'), FORGED],
]);

/** A client may name headers that a proxy must not pass on: RFC 9110, section 7.6.1. */
export const DROPPING: Headers = [['connection', `close, ${IDENTITY_HEADERS.join(', ')}`]];

/** Each claims, of a call to another route, that it is one to `route`, or that nothing is needed. */
export function smuggledNeeds(audience: string, route: string): [what: string, Headers][] {
  return [
    [
      'x-tokenwright-need-*',
      [
        ['x-tokenwright-need-audience', audience],
        ['x-tokenwright-need-scope', '-'],
      ],
    ],
    [
      'x-original-*',
      [
        ['x-original-method', 'POST'],
        ['x-original-uri', route],
      ],
    ],
    [
      'x-forwarded-*',
      [
        ['x-forwarded-method', 'POST'],
        ['x-forwarded-uri', route],
      ],
    ],
    ['x-envoy-original-path', [['x-envoy-original-path', route]]],
    [
      'x-rewrite-url',
      [
        ['x-rewrite-url', route],
        ['x-http-method-override', 'GET'],
      ],
    ],
    [
      'headers to be dropped',
      [['connection', 'x-original-uri, x-original-method, x-forwarded-uri, x-forwarded-method']],
    ],
    [
      'needs to be dropped',
      [
        ['connection', 'x-tokenwright-need-scope'],
        ['x-tokenwright-need-scope', '-'],
      ],
    ],
  ];
}

/** To `victim`, by way of `route`, as one reader or another understands it. */
export function crookedPaths(route: string, victim: string): string[] {
  const up = '../'.repeat(route.split('/').length - 1);
  const below = victim.slice(1);
  return [
    `${victim}?audience=any&scope=-`,
    `${victim}?routes=forwarded#${route}`,
    `${route}/${up}${below}`,
    `/${victim}`,
    `//${victim}`,
    victim.replace('/', '//'),
    victim.replaceAll('/', '//'),
    `${route}//${up}../${below}`,
    `${route}/${up.replaceAll('..', '%2e%2e')}${below}`,
    `${route}/${up.replaceAll('..', '.%2E')}${below}`,
    `${route}/${up.replaceAll('/', '%2f')}${below}`,
    `${route}/${up.replaceAll('/', '%5c')}${below}`,
    `${route}/${up.replaceAll('/', '\\')}${below}`,
    `${route}/${up.replaceAll('../', '..;/')}${below}`,
    `${route}/${up.replaceAll('..', '%252e%252e')}${below}`,
    `${route}/${up.replaceAll('/', '%252f')}${below}`,
    `${route}%00/${up}${below}`,
    `${route}%23/${up}${below}`,
    `${route}%3f/${up}${below}`,
    `${route};/${up}${below}`,
    `http://127.0.0.1${victim}`,
    `http://127.0.0.1${route}/${up}${below}`,
    victim.toUpperCase(),
    victim.replace('a', '%61'),
  ];
}

/** As the most careless of backends reads a target. */
export function readCarelessly(target: string): string {
  let path = target.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/, '');
  for (let before = ''; before !== path; ) {
    before = path;
    path = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  const segments: string[] = [];
  for (const segment of path.replaceAll('\\', '/').split('/')) {
    const [plain = ''] = segment.split(/[;?#\0]/);
    if (plain === '..') segments.pop();
    else if (plain !== '' && plain !== '.') segments.push(plain);
  }
  return `/${segments.join('/')}`.toLowerCase();
}
