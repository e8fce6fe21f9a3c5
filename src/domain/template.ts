/**
 * Templates of a Secret's data and metadata: `$(name)` as in a container's args, and nothing else. No logic, one pass:
 * what a value brings in is never read again. `$$` is a literal `$`, so `$$(token)` is a literal `$(token)`.
 */

export interface TemplateValues {
  token: string;
  tokenID: string;
  version: string;
  expirationTime: string;
}

export type TemplateName = keyof TemplateValues;

const NAMES: readonly TemplateName[] = ['token', 'tokenID', 'version', 'expirationTime'];

/** For labels and annotations: metadata is listed, cached and printed where a Secret's data is not. */
export const METADATA_NAMES: readonly TemplateName[] = ['tokenID', 'version', 'expirationTime'];

/** A sentence on the first thing that is wrong, or undefined. */
export function checkTemplate(template: string, allowed: readonly TemplateName[] = NAMES): string | undefined {
  for (const part of partsOf(template)) {
    if (part.kind === 'open') return `"$(" at character ${part.at + 1} is never closed; write "$$(" for a literal one`;
    if (part.kind === 'reference' && !allowed.some((name) => name === part.name)) {
      const shown = part.name.length > 40 ? `${part.name.slice(0, 40)}…` : part.name;
      const known = allowed.map((name) => `$(${name})`).join(', ');
      return `"$(${shown})" is not known here: use ${known}, or "$$(" for a literal "$("`;
    }
  }
  return undefined;
}

/** Leaves what checkTemplate objects to as it stands. */
export function renderTemplate(template: string, values: TemplateValues): string {
  let text = '';
  for (const part of partsOf(template)) {
    const name = part.kind === 'reference' ? NAMES.find((known) => known === part.name) : undefined;
    text += name === undefined ? part.text : values[name];
  }
  return text;
}

type Part =
  | { kind: 'text'; text: string }
  | { kind: 'reference'; text: string; name: string }
  | { kind: 'open'; text: string; at: number };

/** Each character is looked at once, as an unclosed reference ends the template. */
function* partsOf(template: string): Generator<Part> {
  let at = 0;
  while (at < template.length) {
    const dollar = template.indexOf('$', at);
    if (dollar < 0) break;
    if (dollar > at) yield { kind: 'text', text: template.slice(at, dollar) };
    const next = template[dollar + 1];
    if (next === '$') {
      yield { kind: 'text', text: '$' };
      at = dollar + 2;
    } else if (next === '(') {
      const close = template.indexOf(')', dollar);
      if (close < 0) {
        yield { kind: 'open', text: template.slice(dollar), at: dollar };
        return;
      }
      yield { kind: 'reference', text: template.slice(dollar, close + 1), name: template.slice(dollar + 2, close) };
      at = close + 1;
    } else {
      yield { kind: 'text', text: '$' };
      at = dollar + 1;
    }
  }
  if (at < template.length) yield { kind: 'text', text: template.slice(at) };
}
