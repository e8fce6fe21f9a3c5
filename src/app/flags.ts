/** Readers of what stands after a flag: the text, or what is wrong with it. Shared by all commands. */
import { formatDuration, parseDuration } from '../domain/duration.ts';
import { isTokenID } from '../domain/value.ts';

/** `problem` is read after the flag's name: "--workers must be …". */
export type Read<T> = { value: T } | { problem: string };

export type Reader<T> = (text: string) => Read<T>;

export const anyText: Reader<string> = (text) => ({ value: text });

export function wholeNumber(least: number, most: number): Reader<number> {
  return (text) => {
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return number >= least && number <= most
      ? { value: number }
      : { problem: `must be a whole number from ${least} to ${most}` };
  };
}

/** Seconds. */
export function duration(least: number, most: number): Reader<number> {
  return (text) => {
    const seconds = parseDuration(text) ?? Number.NaN;
    if (seconds >= least && seconds <= most) return { value: seconds };
    return { problem: `must be a duration like 90s or 2m, from ${formatDuration(least)} to ${formatDuration(most)}` };
  };
}

export function oneOf<const T extends string>(choices: readonly T[]): Reader<T> {
  return (text) => {
    const value = choices.find((choice) => choice === text);
    return value === undefined ? { problem: `must be one of ${choices.join(', ')}` } : { value };
  };
}

export const yesOrNo: Reader<boolean> = (text) => {
  if (/^(true|1|yes)$/i.test(text)) return { value: true };
  return /^(false|0|no)$/i.test(text) ? { value: false } : { problem: 'must be true or false' };
};

/** RFC 1123 label. */
export const namespaceName: Reader<string> = (text) =>
  isLabel(text) ? { value: text } : { problem: 'must be a namespace: at most 63 of a-z, 0-9 and -' };

/** An ApiToken, as it is called or as `-o name` prints it. */
export const tokenName: Reader<string> = (text) => {
  const name = text.replace(/^(apitokens?|atok)(\.tokenwright\.dev)?\//, '');
  return isLabel(name) ? { value: name } : { problem: 'must be the name of an ApiToken: at most 63 of a-z, 0-9 and -' };
};

export const tokenID: Reader<string> = (text) =>
  isTokenID(text) ? { value: text } : { problem: 'must be a token id: 8 of a-z, A-Z and 0-9' };

function isLabel(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text);
}

/** RFC 1123 subdomain. */
export const objectName: Reader<string> = (text) => {
  const labels = text.split('.');
  if (text.length <= 253 && labels.every((label) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(label)))
    return { value: text };
  return { problem: 'must be an object name: at most 253 of a-z, 0-9, - and .' };
};

/** `host` undefined: all interfaces. Port 0: a free one. */
export interface BindAddress {
  host: string | undefined;
  port: number;
}

export const hostAndPort: Reader<BindAddress> = (text) => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]*)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || !(port <= 65_535))
    return { problem: 'must be HOST:PORT, such as :8080, 127.0.0.1:8080 or [::1]:8080' };
  return { value: { host: match[1] ?? (match[2] || undefined), port } };
};

/** Scheme, host and port, as a verifier is reached. */
export const origin: Reader<string> = (text) => {
  const { protocol = '', origin, href } = URL.canParse(text) ? new URL(text) : {};
  if (/^https?:$/.test(protocol) && origin !== undefined && href === `${origin}/`) return { value: origin };
  return { problem: 'must be a URL without a path, such as https://10.0.1.7:8443' };
};

export type AuditLogTarget = { kind: 'fd'; fd: number } | { kind: 'file'; path: string };

export const auditTarget: Reader<AuditLogTarget> = (text) => {
  if (text === '-') return { value: { kind: 'fd', fd: 1 } };
  if (!text.startsWith('fd:')) {
    return text.endsWith('/') || text.includes('\0')
      ? { problem: 'must be a file, not a directory' }
      : { value: { kind: 'file', path: text } };
  }
  const fd = /^fd:([0-9]{1,4})$/.exec(text)?.[1];
  // 0 is stdin; on 2 the log would cut audit lines.
  if (fd === undefined || fd === '0' || fd === '2') return { problem: 'must be -, fd:N (1, or 3 and up) or a file' };
  return { value: { kind: 'fd', fd: Number(fd) } };
};
