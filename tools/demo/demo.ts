import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type ControlPlane, startControlPlane } from '../controlplane/control-plane.ts';
import { freePort } from '../controlplane/free-port.ts';
import { elapsed, redact, say, stop, title, until } from './console.ts';
import { startGateway } from './gateway.ts';
import { Kubectl, NAMESPACE } from './kubectl.ts';
import { audience, policy } from './manifests.ts';
import { Service, verifierCertificate } from './processes.ts';
import { Provider } from './provider.ts';
import { tell } from './story.ts';

const HELP = `Shows Tokenwright at work: an agent calls an AI provider through Envoy with a governed token, while the token is
rotated, its Secret deleted, and the token stolen and revoked; and what is recorded of all that.

Usage: npm run demo [-- options]

Options:
  --keep              stay up at the end until Ctrl-C
  --kubeconfig FILE   use an existing cluster (needs kubectl and its every right), not a local control plane
  -h, --help          this text

Takes about a minute; the first time longer, to get the binaries of Kubernetes and Envoy. Cleans up all that it made.
`;

const CRDS = join(import.meta.dirname, '../../crds');
const KINDS = [
  'apitokens',
  'tokenaudiences',
  'tokenpolicies',
  'tokenrevocations',
  'clustertokenrevocations',
  'grantednamespaces',
];

/** What to undo at the end, the last first. */
type Undo = (() => unknown)[];

async function run(keep: boolean, existing: string | undefined): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwright-demo-'));
  const undo: Undo = [() => rm(folder, { recursive: true, force: true })];
  try {
    let plane: ControlPlane | undefined;
    if (existing === undefined) {
      title('A Kubernetes control plane of your own (the first time this takes minutes)');
      plane = await startControlPlane({ log: (line) => say(`   ${line}`) });
      undo.push(() => plane?.stop());
    }
    stop.signal.throwIfAborted();
    const kubectl = new Kubectl(plane?.kubeconfig ?? resolve(existing ?? ''), plane?.bin('kubectl') ?? 'kubectl');
    // a control plane of our own goes with all that is in it
    const remove = await install(kubectl);
    if (plane === undefined) undo.push(remove.kinds);
    const provider = await Provider.start();
    undo.push(() => provider.stop());
    await kubectl.must(['apply', '-n', NAMESPACE, '-f', '-'], audience(provider.key));

    const auditFiles = { operator: join(folder, 'operator.jsonl'), verifier: join(folder, 'verifier.jsonl') };
    const { kubeconfig } = kubectl;
    const operator = await Service.start('operator', folder, {
      kubeconfig,
      'watch-namespace': NAMESPACE,
      'audit-log': auditFiles.operator,
      'settle-after': '3s',
      'min-heal-interval': '1s',
      'lease-duration': '5s',
    });
    undo.push(() => operator.stop());
    // before the operator goes, which lets go of what it holds by a finalizer
    if (plane === undefined) undo.push(remove.namespace);
    const tls = await verifierCertificate(folder);
    const verifierPort = await freePort();
    const verifier = await Service.start('verifier', folder, {
      kubeconfig,
      environment: 'production',
      'upstream-namespace': NAMESPACE,
      'bind-address': `127.0.0.1:${verifierPort}`,
      'tls-cert-file': tls.cert,
      'tls-key-file': tls.key,
      'audit-log': auditFiles.verifier,
      name: 'verifier-1',
    });
    undo.push(() => verifier.stop());
    try {
      await Promise.all([operator.whenReady(), verifier.whenReady()]);
      const gateway = await startGateway({ verifierPort, providerPort: provider.port, caFile: tls.ca });
      undo.push(() => gateway.stop());
      say(`   The operator, a verifier and Envoy are ready (${elapsed()}).`);
      await tell({
        kubectl,
        gateway: `http://127.0.0.1:${gateway.port}`,
        provider,
        metricsURL: operator.metricsURL,
        auditFiles,
      });
    } catch (error) {
      if (!stop.signal.aborted) {
        for (const service of [operator, verifier]) console.error(redact(`\n${await service.lastLines()}`));
      }
      throw error;
    }
    if (!keep) {
      title('Done. With --keep it stays up, to go on by hand.');
      return;
    }
    title('Done. To go on by hand, in another terminal:');
    say(`   export KUBECONFIG=${kubeconfig}`);
    if (plane !== undefined) say(`   export PATH=${plane.binDirectory}:$PATH`);
    say(`   kubectl get apitokens -n ${NAMESPACE}`);
    say('   Ctrl-C ends it and removes all of it.');
    if (!stop.signal.aborted) await Promise.race([once(stop.signal, 'abort'), operator.ended, verifier.ended]);
    if (!stop.signal.aborted) throw new Error('The operator or the verifier ended by itself.');
  } finally {
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (error) {
        console.error(redact(String(error)));
      }
    }
    say(`\nCleaned up (${elapsed()}).`);
  }
}

/** The kinds, and a namespace for all the rest. Returns how to remove them. */
async function install(kubectl: Kubectl): Promise<{ kinds(): Promise<unknown>; namespace(): Promise<unknown> }> {
  const isNew = !(await kubectl.run(['get', 'crd', 'apitokens.tokenwright.dev'])).ok;
  if (isNew) await kubectl.must(['apply', '--server-side', '-k', CRDS]);
  // not `kubectl wait`, which fails while the definition is so new that it has no conditions yet
  for (const kind of KINDS) {
    const isServed = async () => (await kubectl.run(['get', `${kind}.tokenwright.dev`, '-A'])).ok || undefined;
    await until(`the API of ${kind}`, isServed);
  }
  // fails where it exists: what is in it is not ours to delete
  await kubectl.must(['create', 'namespace', NAMESPACE]);
  await kubectl.must(['apply', '-f', '-'], policy(NAMESPACE));
  return {
    kinds: async () => isNew && (await kubectl.run(['delete', '-k', CRDS, '--ignore-not-found'])),
    namespace: async () => {
      await kubectl.run(['delete', 'tokenaudience', 'ai-gateway', '--ignore-not-found']);
      await kubectl.run(['delete', 'tokenpolicy', NAMESPACE, '--ignore-not-found']);
      await kubectl.run(['delete', 'namespace', NAMESPACE, '--request-timeout=60s', '--timeout=50s']);
    },
  };
}

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    kubeconfig: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  try {
    await run(values.keep, values.kubeconfig);
  } catch (error) {
    if (!stop.signal.aborted) console.error(redact(error instanceof Error ? error.message : String(error)));
    process.exitCode = stop.signal.aborted ? 130 : 1;
  }
}
