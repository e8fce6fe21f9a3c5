/** The token of an HTTP call, and what else of the call every door reads alike. */
import type { PresentedToken } from '../call.ts';

/** name, value, name, value … as node:http gives them: every field that was sent, duplicates too. */
export type RawHeaders = readonly string[];

/** All values of a field. `name` in lower case. */
export function valuesOf(headers: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const field = headers[i];
    if (field?.length === name.length && field.toLowerCase() === name) values.push(headers[i + 1] ?? '');
  }
  return values;
}

/** Of a field that was sent exactly once. */
export function onlyValueOf(headers: RawHeaders, name: string): string | undefined {
  const [only, ...more] = valuesOf(headers, name);
  return more.length === 0 ? only : undefined;
}

const BEARER = /^bearer +([^\s,]+) *$/i;

/**
 * RFC 6750, section 2.1: `Authorization: Bearer`. Also `x-api-key`, as some AI APIs have it. Exactly one of them: two tokens are a
 * disagreement waiting between us and the backend.
 */
export function presentedToken(headers: RawHeaders): PresentedToken {
  const bearers = valuesOf(headers, 'authorization');
  const keys = valuesOf(headers, 'x-api-key');
  const [only, ...more] = [...bearers, ...keys];
  if (only === undefined) return 'missing';
  if (more.length > 0) return 'ambiguous';
  if (bearers.length === 0) return { text: only };
  const text = BEARER.exec(only)?.[1];
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
