/** `tokenwright log`: what happened to a token, from the audit log. */
import { type AuditEntry, type EntryFilter, isWanted, parseEntry } from './audit-entry.ts';
import { Failure } from './failure.ts';
import { chunksOf, LineCutter } from './lines.ts';
import { plain, type Style, type Terminal } from './terminal.ts';

/** Records are shorter than 64 KiB: the operator reads no longer ones back. */
const LONGEST_LINE = 64 << 10;

export interface LogOptions extends EntryFilter {
  /** `-` is stdin. */
  readonly file: string;
  readonly follow: boolean;
  readonly output: 'json' | undefined;
}

export async function log(terminal: Terminal, { file, follow, output, ...filter }: LogOptions): Promise<void> {
  const cutter = new LineCutter(LONGEST_LINE);
  let broken = 0;
  // not before the file is known to be there
  let head = output === undefined ? titles() : '';
  const show = (lines: Iterable<string>) => {
    let text = head;
    head = '';
    for (const line of lines) {
      const entry = parseEntry(line);
      if (entry === 'broken') broken += 1;
      else if (entry !== 'other' && isWanted(entry, filter))
        text += output === 'json' ? `${JSON.stringify(entry.fields)}\n` : row(entry, terminal);
    }
    terminal.print(text);
  };
  try {
    const chunks: AsyncIterable<Buffer> = file === '-' ? process.stdin : chunksOf(file, follow);
    for await (const chunk of chunks) show(cutter.cut(chunk));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new Failure(`The audit log ${file} cannot be read${code}.`);
  }
  show(cutter.end());
  const leftOut = [
    broken > 0 ? `${broken} that are not whole records` : '',
    cutter.tooLong > 0 ? `${cutter.tooLong} longer than ${LONGEST_LINE >> 10} KiB` : '',
  ].filter(Boolean);
  if (leftOut.length > 0) terminal.note(`Lines left out: ${leftOut.join(', ')}.`);
}

interface Column {
  title: string;
  width: number;
  of(entry: AuditEntry): string;
  style?(entry: AuditEntry): Style | undefined;
}

/** Of fixed width: rows are shown as they come. */
// biome-ignore format: a table
const COLUMNS: readonly Column[] = [
  { title: 'TIME', width: 24, of: ({ time }) => time },
  { title: 'TOKEN', width: 32, of: ({ namespace, name, tokenID }) => (name === undefined ? (tokenID ?? '-') : `${namespace}/${name}`) },
  { title: 'VERSION', width: 7, of: ({ version }) => String(version ?? '-') },
  { title: 'OPERATION', width: 9, of: ({ operation }) => operation },
  { title: 'PHASE', width: 9, of: ({ phase }) => phase, style: colourOf },
  { title: 'CAUSE', width: 16, of: ({ cause }) => cause ?? '-' },
  { title: 'BY', width: 0, of: ({ actor, detail }) => [actor, detail].filter(Boolean).join(' ') },
];

function titles(): string {
  return `${COLUMNS.map(({ title, width }) => title.padEnd(width)).join('  ')}\n`;
}

function row(entry: AuditEntry, { paint }: Terminal): string {
  const cells = COLUMNS.map(({ width, of, style }) => {
    const text = plain(of(entry));
    return paint(style?.(entry), text) + ' '.repeat(Math.max(0, width - text.length));
  });
  return `${cells.join('  ').trimEnd()}\n`;
}

function colourOf({ operation, phase }: AuditEntry): Style | undefined {
  if (phase === 'abandoned') return 'yellow';
  if (operation === 'verdict') return phase === 'Allowed' ? 'green' : 'red';
  return undefined;
}
