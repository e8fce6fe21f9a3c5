#!/usr/bin/env node
/** argv to one app; exit codes: 0 done, 1 failed, 2 used wrongly, 130 cut short by a second signal. */
import { operatorHelp, parseOperatorConfig } from './app/config.ts';
import { runOperator } from './app/operator.ts';
import { createLogger } from './telemetry/log.ts';
import { VERSION } from './version.ts';

const USAGE = `Usage: tokenwright <command> [flags]

Commands:
  operator   Reconcile ApiTokens into rotating Secrets
  version    Print the version

Run 'tokenwright <command> --help' for the flags of a command.
`;

async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'operator':
      return operator(rest);
    case 'version':
    case '--version':
      process.stdout.write(`tokenwright ${VERSION}\n`);
      return 0;
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(rest[0] === 'operator' ? operatorHelp() : USAGE);
      return 0;
    case undefined:
      process.stderr.write(USAGE);
      return 2;
    default:
      process.stderr.write(`tokenwright: unknown command "${command}"\n\n${USAGE}`);
      return 2;
  }
}

async function operator(argv: string[]): Promise<number> {
  const parsed = parseOperatorConfig(argv, process.env);
  if (!parsed.ok) {
    (parsed.exitCode === 0 ? process.stdout : process.stderr).write(parsed.text);
    return parsed.exitCode;
  }
  const { config } = parsed;
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

process.exitCode = await main(process.argv.slice(2));
