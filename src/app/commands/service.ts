/** What the long-running commands share: a log, and signals that stop them. */

import type { Logger } from '../../ports.ts';
import { createLogger } from '../../telemetry/log.ts';

export interface ServiceOptions {
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  logFormat: 'json' | 'text';
}

/** Runs until it ends by itself or a signal stops it; a second signal cuts it short. Sets the exit code. */
export async function serve(
  name: string,
  { logLevel, logFormat }: ServiceOptions,
  run: (log: Logger, stop: AbortSignal) => Promise<'stopped' | 'lost'>,
): Promise<void> {
  const log = createLogger({ level: logLevel, format: logFormat });
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(130);
    log.info({ signal }, 'stopping');
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  try {
    const end = await run(log, stop.signal);
    // a new process starts from a clean slate; the kubelet, or whoever runs us, sees to it
    process.exitCode = end === 'lost' ? 1 : 0;
  } catch (error) {
    log.error({ err: error }, `${name} ended`);
    process.exitCode = 1;
  }
}
