/** Where the commands of the documentation are run. One that is in no table and that no program of ours takes fails the tests. */

export interface Place {
  file: string;
  /** In these words. */
  says: string;
}

/** Run by another test or script. */
export const ELSEWHERE: Readonly<Record<string, Place>> = {
  'npm run demo': { file: 'test/tools/demo.test.ts', says: 'tools/demo/demo.ts' },
  'kubectl apply -k deploy/': { file: 'test/install/steps/kubectl.ts', says: "kubectl('apply', '-k', deploy)" },
  'kubectl apply -f deploy/examples/policies/baseline.yaml': {
    file: 'test/install/steps/kubectl.ts',
    says: "kubectl('apply', '-f', join(root, 'deploy/examples/policies/baseline.yaml'))",
  },
  'kubectl wait --for=condition=Ready tokenpolicy/baseline --timeout=5m': {
    file: 'test/install/steps/operator.ts',
    says: "kubectl('wait', '--for=condition=Ready', 'tokenpolicy/baseline'",
  },
  'kubectl apply -k deploy/verifier': {
    file: 'test/install/steps/kubectl.ts',
    says: "kubectl('apply', '-k', join(root, 'deploy/verifier'))",
  },
  'helm upgrade --install tokenwright charts/tokenwright --namespace tokenwright-system --create-namespace --wait': {
    file: 'test/install/steps/helm.ts',
    says: "helm('install', 'tokenwright', chart",
  },
  'kubectl -n tokenwright-system create secret tls tokenwright-verifier-production-tls --cert=tls.crt --key=tls.key': {
    file: 'test/install/steps/verifiers.ts',
    says: "kubectl('create', 'secret', 'tls'",
  },
  'kubectl create token auditor --audience=tokenwright.dev | tokenwright last-use -n support summarizer --ca-file=ca.crt --server-name=tokenwright-verifier-production.tokenwright-system.svc --verifier=https://10.0.1.7:8443 --verifier=https://10.0.2.9:8443':
    { file: 'test/cli/last-use.e2e.test.ts', says: "tokenwright(['last-use'" },
  'npm test': { file: '.ci/run', says: 'npm test' },
};

const BY_THE_KEYS = { file: 'test/reconcile/seal-keys/seal-keys.test.ts' };

/** Tried with --dry-run=server, since all operators under test share what they change; done in earnest by another test. */
export const TRIED: Readonly<Record<string, Place>> = {
  'kubectl -n tokenwright-system annotate secret tokenwright-seal-keys --overwrite tokenwright.dev/rotate-requested-at="$(date -u +%FT%TZ)"':
    { ...BY_THE_KEYS, says: "annotate('rotate-requested-at'" },
  'kubectl -n tokenwright-system annotate secret tokenwright-seal-keys --overwrite tokenwright.dev/distrust-keys="$KEY_ID"':
    { ...BY_THE_KEYS, says: "annotate('distrust-keys'" },
};

/** What is run as it stands. */
const PROGRAMS = ['kubectl ', 'tokenwright ', 'helm template '];

export function isRun(command: string): boolean {
  return PROGRAMS.some((program) => command.startsWith(program)) || command in ELSEWHERE;
}

/** What the documentation leaves to its readers. */
export const VARIABLES: Readonly<Record<string, string>> = {
  KEY_ID: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
};
