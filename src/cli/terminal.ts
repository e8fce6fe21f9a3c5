/** Where a command writes: its result on stdout, all else on stderr. */
import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';

export type Style = 'red' | 'green' | 'yellow';

export interface Terminal {
  /** One part of the result, with its newlines. */
  print(text: string): void;
  /** One line of progress or advice. */
  note(line: string): void;
  /** Coloured, where stdout is a terminal that wants colours. */
  paint(style: Style | undefined, text: string): string;
}

/** Honours NO_COLOR, FORCE_COLOR and TERM=dumb, as Node does. */
export function terminalOf(stdout: WriteStream, stderr: WriteStream): Terminal {
  // `tokenwright get | head -1`
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    print: (text) => void stdout.write(text),
    note: (line) => void stderr.write(`${plain(line)}\n`),
    paint: (style, text) => (style === undefined ? text : styleText(style, text, { stream: stdout })),
  };
}

/** On one line, and without what a terminal would obey: much of what is shown was written by others. */
export function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}');
}
