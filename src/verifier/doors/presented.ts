/** The token of an HTTP call, and what else of the call every door reads alike. */
import type { PresentedToken } from '../call.ts';

/** name, value, name, value … as node:http gives them: every field that was sent, duplicates too. */
export type RawHeaders = readonly string[];

/** All values of a field. `name` in lower case. */
export function valuesOf(headers: RawHeaders, name: string): readonly string[] {
  let values = NONE;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const field = headers[i];
    if (field?.length !== name.length || field.toLowerCase() !== name) continue;
    const value = headers[i + 1] ?? '';
    if (values === NONE) values = [value];
    else values.push(value);
  }
  return values;
}

const NONE: string[] = [];

/** Of a field that was sent exactly once. */
export function onlyValueOf(headers: RawHeaders, name: string): string | undefined {
  const values = valuesOf(headers, name);
  return values.length === 1 ? values[0] : undefined;
}

const BEARER = /^bearer +([^\s,]+) *$/i;

/**
 * RFC 6750, section 2.1: `Authorization: Bearer`. Also `x-api-key`, as some AI APIs have it. Exactly one of them: two tokens are a
 * disagreement waiting between us and the backend.
 */
export function presentedToken(headers: RawHeaders): PresentedToken {
  const bearers = valuesOf(headers, 'authorization');
  const keys = valuesOf(headers, 'x-api-key');
  if (bearers.length + keys.length > 1) return 'ambiguous';
  const [bearer] = bearers;
  const text = bearer === undefined ? keys[0] : BEARER.exec(bearer)?.[1];
  return text === undefined ? 'missing' : { text };
}

/** A token in a URL ends in logs and referrers, so it is refused even when it is good: RFC 6750, section 5.3. */
export function hasTokenInURL(target: string): boolean {
  const plain = target.includes('%') ? target.replace(/%([2-7][0-9a-f])/gi, fromHex) : target;
  return /[?&](?:access_token|api[_-]?key|token)=|twk_[a-z0-9-]{1,24}_[0-9A-Za-z]{57}/i.test(plain);
}

function fromHex(_: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
