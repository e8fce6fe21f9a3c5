/** Second line of defence against a token value that leaves in text. The first is the type TokenValue, which prints nothing. */

const MARK = 'twk_';

/**
 * What `twk_` looks like inside base64, at each of the three alignments: a Secret's `data` is base64. At the second the last letter
 * holds two bits of the environment: a letter there, or a digit or `-`.
 */
const BASE64_MARKS = ['dHdrX', 'R3a18', 'R3a19', '0d2tf'];

/** A whole value is at least 84 characters of base64; shorter runs with the same five letters are chance. */
const BASE64_RUN = 40;

const REDACTED = '[redacted]';

/** Replaces everything that has the form of a token value, plain or in base64, whole or cut. Linear in the text's length. */
export function redact(text: string): string {
  let clean = replaceRuns(text, MARK, MARK.length + 1);
  for (const mark of BASE64_MARKS) clean = replaceRuns(clean, mark, BASE64_RUN);
  return clean;
}

function replaceRuns(text: string, mark: string, shortest: number): string {
  let start = text.indexOf(mark);
  if (start === -1) return text;
  let clean = '';
  let copied = 0;
  while (start !== -1) {
    let end = start + mark.length;
    while (end < text.length && belongsToRun(text.charCodeAt(end))) end++;
    if (end - start >= shortest) {
      clean += text.slice(copied, start) + REDACTED;
      copied = end;
    }
    // From the end of the run, never from its start: one pass whatever the text.
    start = text.indexOf(mark, end);
  }
  return clean + text.slice(copied);
}

/** Letters, digits, `_`, `-` (token values) and `+`, `/`, `=` (base64). */
function belongsToRun(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x2f && code <= 0x39) ||
    code === 0x5f ||
    code === 0x2d ||
    code === 0x2b ||
    code === 0x3d
  );
}
