import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { resolveBinaries } from './binaries.ts';
import { startControlPlane } from './control-plane.ts';
import { chooseVersions, defaultVersions } from './releases.ts';

const help = `A local Kubernetes control plane: real processes on loopback, no containers.

Usage: node tools/controlplane/main.ts <command> [options]

Commands:
  up          start one, print the line to use it, stay until Ctrl-C; then everything is gone
  binaries    only get the binaries (download, else build: about 9 minutes) and print their directory

Options:
  --version <1.x.y>   Kubernetes version (default ${defaultVersions.kubernetes}, or TOKENWRIGHT_K8S_VERSION)
  --nodes <n>         fake nodes, each with room for 100,000 pods (default 1)
  --no-workloads      no scheduler and no nodes: pods stay Pending
  -h, --help          this text

Binaries come from, in this order:
  1. the directory in TOKENWRIGHT_BINARIES, then the one in KUBEBUILDER_ASSETS
  2. the cache: $XDG_CACHE_HOME/tokenwright, else ~/.cache/tokenwright
  3. the official releases, checksums verified. Mirrors: TOKENWRIGHT_KUBERNETES_URL, TOKENWRIGHT_ETCD_URL,
     TOKENWRIGHT_KWOK_URL, TOKENWRIGHT_KWOK_API_URL, TOKENWRIGHT_HELM_URL. TOKENWRIGHT_DOWNLOAD=off skips this step
  4. a build from Go modules (needs Go)

Exit codes: 0 done, 1 failed, 2 wrong usage.
`;

class UsageError extends Error {}

function parse(args: string[]) {
  const options = {
    version: { type: 'string' },
    nodes: { type: 'string', default: '1' },
    workloads: { type: 'boolean', default: true },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true, allowNegative: true });
    if (!/^[1-9]\d{0,2}$/.test(values.nodes)) throw new Error(`--nodes ${values.nodes}: a number from 1 to 999`);
    if (positionals.length > 1) throw new Error(`one command at a time, not ${positionals.join(' ')}`);
    return {
      ...values,
      versions: chooseVersions(values.version),
      nodes: Number(values.nodes),
      command: positionals[0],
    };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

const log = (line: string) => void process.stderr.write(`${line}\n`);

async function up(version: string, nodes: number, workloads: boolean): Promise<void> {
  const asked = Promise.race((['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => once(process, signal)));
  const starting = startControlPlane({ version, nodes, workloads, log });
  // a Ctrl-C while it starts ends this process, and the control plane with it
  if ((await Promise.race([starting.then(() => 'started'), asked.then(() => 'asked')])) === 'asked') process.exit(1);
  const plane = await starting;
  console.log(`export KUBECONFIG=${plane.kubeconfig}`);
  console.log(`export PATH=${plane.binDirectory}:$PATH`);
  log('Ctrl-C ends it and removes its data.');
  await asked;
  await plane.stop();
}

async function main(args: string[]): Promise<void> {
  const { command, help: wantsHelp, versions, nodes, workloads } = parse(args);
  if (wantsHelp) return void process.stdout.write(help);
  switch (command) {
    case 'up':
      return up(versions.kubernetes, nodes, workloads);
    case 'binaries':
      return console.log((await resolveBinaries({ versions, log })).directory);
    case undefined:
      throw new UsageError('no command given');
    default:
      throw new UsageError(`no command "${command}"`);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof UsageError;
  log(error instanceof Error ? error.message : String(error));
  if (usage) log('Try --help.');
  process.exitCode = usage ? 2 : 1;
}
