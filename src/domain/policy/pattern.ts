/**
 * Patterns of scopes and subjects: segments separated by `:`, where `*` is one whole segment, or the tail of one, and never passes a colon.
 */

/** Of the longest that a TokenPolicy may have. */
const PATTERN_MAX = 128;

/** @throws RangeError on what is no pattern */
export function pattern(text: string): (asked: string) => boolean {
  const segments = text.split(':');
  const last = segments.length - 1;
  if (text.length > PATTERN_MAX || segments[0] === '' || segments[last] === '' || !segments.every(isSegment))
    throw new RangeError(
      `${JSON.stringify(text)} is no pattern: use * only as a whole segment or at the end of one, as in chat:*`,
    );
  const matchers = segments.map(segmentMatcher);
  return (asked) => {
    const parts = asked.split(':');
    return parts.length === matchers.length && matchers.every((matches, i) => matches(parts[i] ?? ''));
  };
}

/** @throws RangeError on what is no pattern */
export function patterns(texts: readonly string[]): (asked: string) => boolean {
  const all = texts.map(pattern);
  return (asked) => all.some((matches) => matches(asked));
}

function isSegment(segment: string): boolean {
  return /^[A-Za-z0-9._/@-]*\*?$/.test(segment);
}

function segmentMatcher(segment: string): (part: string) => boolean {
  if (!segment.endsWith('*')) return (part) => part === segment;
  const head = segment.slice(0, -1);
  return (part) => part.startsWith(head);
}
