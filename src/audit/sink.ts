/** Where lines go. One call at a time: the audit log waits for the last one. */
export interface AuditSink {
  /**
   * Makes ready for `append`: mends what the last failure left, notices that a file was replaced, reads what others appended.
   * Before the first `append`, and each one.
   */
  prepare(): Promise<void>;
  /** Resolves once all lines are as durable as this sink can make them. Rejects when any of them may not be. */
  append(lines: string): Promise<void>;
  close(): Promise<void>;
}

/** What a sink that can be read tells the audit log, and asks of it. */
export interface SinkHooks {
  /** A line that stands in the sink, without its newline. False when it means nothing. */
  found(line: string): boolean;
  /** Lines with which a new file begins, so that what is known outlives a rotation. */
  checkpoint(): Iterable<string>;
  /** Something that a person should know. */
  notice(fields: object, text: string): void;
}
