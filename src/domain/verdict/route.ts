/** From the method and path of a call to the scopes that it needs. */

/** One way into an API, as a TokenAudience declares it. */
export interface Route {
  methods: readonly string[];
  /** Segments; `*` is one whole segment, or at the end all that follows, at least one. */
  path: string;
  scopes: readonly string[];
}

/**
 * Scopes of the first route that matches; undefined where none does. A path that a gateway and a backend may read in two ways
 * matches none: dot segments, empty segments, encoded separators or dots, backslashes, parameters, control characters.
 * A trailing slash counts. The query and the fragment do not.
 */
export function scopesFor(
  call: { method: string; path: string },
  routes: readonly Route[],
): readonly string[] | undefined {
  const path = plainPath(call.path);
  if (path === undefined) return undefined;
  const segments = path.split('/');
  return routes.find((route) => route.methods.includes(call.method) && matches(route.path.split('/'), segments))
    ?.scopes;
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  const last = pattern.length - 1;
  const tail = pattern[last] === '*';
  if (tail ? segments.length < pattern.length : segments.length !== pattern.length) return false;
  return pattern.every((part, i) => part === segments[i] || (part === '*' && segments[i] !== ''));
}

const PATH_LIMIT = 8192;
// what RFC 3986 leaves unreserved is the same encoded or not, so only the spelling without an escape is taken
const PLAIN = /^(?:\/(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-Fa-f]{2})*)+$/;
const TWO_WAYS = /\/\/|\/\.{1,2}(?:\/|$)|%(?:2[eEfF]|5[cC]|25|3[bB]|[01][0-9A-Fa-f]|7[fF])/;

function plainPath(target: string): string | undefined {
  const end = target.search(/[?#]/);
  const path = end < 0 ? target : target.slice(0, end);
  if (path.length > PATH_LIMIT || !PLAIN.test(path) || TWO_WAYS.test(path)) return undefined;
  return decodeUnreserved(path);
}

/** RFC 3986, section 6.2.2.2. What else is encoded stays so. */
function decodeUnreserved(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (encoded, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-_~]/.test(character) ? character : encoded.toUpperCase();
  });
}
