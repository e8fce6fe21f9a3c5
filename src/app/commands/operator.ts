/** `tokenwright operator`. */
import { createLogger } from '../../telemetry/log.ts';
import { VERSION } from '../../version.ts';
import { runOperator } from '../operator.ts';
import { type OperatorConfig, operatorCommand } from '../operator-config.ts';

export const operator = operatorCommand(async (config) => {
  process.exitCode = await run(config);
});

async function run(config: OperatorConfig): Promise<number> {
  const log = createLogger({ level: config.logLevel, format: config.logFormat });
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(130);
    log.info({ signal }, 'stopping');
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  try {
    const end = await runOperator({ config, version: VERSION, log, stop: stop.signal });
    // a new process starts from a clean slate; the kubelet, or whoever runs us, sees to it
    return end === 'lost' ? 1 : 0;
  } catch (error) {
    log.error({ err: error }, 'operator ended');
    return 1;
  }
}
