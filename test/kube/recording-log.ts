import type { Logger } from '../../src/ports.ts';

export interface Line {
  level: 'debug' | 'info' | 'warn' | 'error';
  text: string;
  fields: object;
}

export class RecordingLog implements Logger {
  readonly lines: Line[] = [];

  debug(fields: object, text: string): void {
    this.lines.push({ level: 'debug', text, fields });
  }

  info(fields: object, text: string): void {
    this.lines.push({ level: 'info', text, fields });
  }

  warn(fields: object, text: string): void {
    this.lines.push({ level: 'warn', text, fields });
  }

  error(fields: object, text: string): void {
    this.lines.push({ level: 'error', text, fields });
  }

  child(): Logger {
    return this;
  }
}
