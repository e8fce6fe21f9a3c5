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
 * matches none: dot segments, empty segments, parameters, a fragment, backslashes, and whatever becomes a separator once it is decoded.
 * What else is encoded is matched as what it means. A trailing slash counts. The query does not.
 */
export function scopesFor(
  call: { method: string; path: string },
  routes: readonly Route[],
): readonly string[] | undefined {
  const segments = plainPath(call.path)?.split('/');
  if (segments === undefined) return undefined;
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
// of RFC 3986, section 3.3, without `;`
const PLAIN = /^(?:\/(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-Fa-f]{2})*)+$/;
const NOT_RESOLVED = /\/\/|\/\.{1,2}(?:\/|$)/;
const SEPARATES = /[./\\;?#%]|\p{Cc}/u;

function plainPath(target: string): string | undefined {
  const end = target.indexOf('?');
  const path = end < 0 ? target : target.slice(0, end);
  if (path.length > PATH_LIMIT || !PLAIN.test(path) || NOT_RESOLVED.test(path)) return undefined;
  return path.includes('%') ? decoded(path) : path;
}

/** Undefined where an escape stands for what separates, or would after one more decoding, or is no UTF-8, such as an overlong one. */
function decoded(path: string): string | undefined {
  let isPlain = true;
  const text = path.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => {
    const characters = decodeUTF8(escapes);
    // some backends take look-alikes such as U+FF0F for what they look like
    isPlain &&= characters !== undefined && !SEPARATES.test(characters.normalize('NFKC'));
    return characters ?? '';
  });
  return isPlain ? text : undefined;
}

function decodeUTF8(escapes: string): string | undefined {
  try {
    return decodeURIComponent(escapes);
  } catch {
    return undefined;
  }
}
