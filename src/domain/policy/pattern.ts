/**
 * Patterns of scopes and subjects: segments separated by `:`, where `*` is one whole segment, or the tail of one, and never passes a colon.
 */

/** Of the longest that a TokenPolicy may have. */
const PATTERN_MAX = 128;

/** @throws RangeError on what is no pattern */
export function pattern(text: string): (asked: string) => boolean {
  return patterns([text]);
}

/** Whether one of them matches. @throws RangeError on what is no pattern */
export function patterns(texts: readonly string[]): (asked: string) => boolean {
  // of none, what nothing matches
  const expression = new RegExp(`^(?:${texts.map(source).join('|') || '(?!)'})$`);
  return (asked) => expression.test(asked);
}

/** Linear in what is asked: whether an asterisk goes on is told by the next character. */
function source(text: string): string {
  const segments = text.split(':');
  if (text.length > PATTERN_MAX || segments[0] === '' || segments.at(-1) === '' || !segments.every(isSegment))
    throw new RangeError(
      `${JSON.stringify(text)} is no pattern: use * only as a whole segment or at the end of one, as in chat:*`,
    );
  return text.replaceAll('.', '\\.').replaceAll('*', '[^:]*');
}

function isSegment(segment: string): boolean {
  return /^[A-Za-z0-9._/@-]*\*?$/.test(segment);
}
