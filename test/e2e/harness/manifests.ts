/** What users apply, in the shortest form that tests need. */
import type { ApiTokenSpec } from '../../../src/api/apitoken.ts';
import type { TokenPolicySpec } from '../../../src/api/token-policy.ts';
import type { TokenRevocationSpec } from '../../../src/api/token-revocation.ts';
import { UNGOVERNED } from '../../crds/api-server.ts';

export const ENVIRONMENT = 'e2e';

/** An ApiToken whose value lives an hour, so that nothing happens by time alone. */
export function apiToken(name: string, spec: Partial<ApiTokenSpec> = {}) {
  return {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'ApiToken',
    metadata: { name },
    spec: {
      subject: `agent:${name}`,
      purpose: 'Prove what the operator promises',
      environment: ENVIRONMENT,
      audiences: ['gateway'],
      scopes: ['chat:write'],
      ttl: '1h',
      ...spec,
    },
  };
}

export function tokenRevocation(name: string, spec: Partial<TokenRevocationSpec> & Pick<TokenRevocationSpec, 'match'>) {
  const reason = 'Compromised';
  return {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'TokenRevocation',
    metadata: { name },
    spec: { reason, ...spec },
  };
}

export function tokenPolicy(name: string, spec: TokenPolicySpec) {
  return { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'TokenPolicy', metadata: { name }, spec };
}

export { UNGOVERNED };

/** What lets all other namespaces have tokens. */
export const BASELINE = tokenPolicy('test-baseline', {
  match: { namespaces: { matchExpressions: [{ key: UNGOVERNED, operator: 'DoesNotExist' }] } },
});

export type Reading = 'env' | 'envFrom' | 'volume' | 'projected' | 'subPath' | 'init' | 'nothing';

const MOUNT = { name: 'token', mountPath: '/token' };

/** The part of a pod spec that reads the Secret in that way. */
function reading(how: Reading, secret: string): { containers: object[]; [field: string]: object[] } {
  const container = { name: 'app', image: 'app' };
  const env = [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: secret, key: 'token' } } }];
  const volumes = [{ name: 'token', secret: { secretName: secret } }];
  switch (how) {
    case 'env':
      return { containers: [{ ...container, env }] };
    case 'envFrom':
      return { containers: [{ ...container, envFrom: [{ secretRef: { name: secret } }] }] };
    case 'volume':
      return { containers: [{ ...container, volumeMounts: [MOUNT] }], volumes };
    case 'subPath':
      return { containers: [{ ...container, volumeMounts: [{ ...MOUNT, subPath: 'token' }] }], volumes };
    case 'projected':
      return {
        containers: [{ ...container, volumeMounts: [MOUNT] }],
        volumes: [{ name: 'token', projected: { sources: [{ secret: { name: secret } }] } }],
      };
    case 'init':
      return { initContainers: [{ ...container, name: 'init', env }], containers: [container] };
    case 'nothing':
      return { containers: [container] };
    default:
      return how satisfies never;
  }
}

export interface WorkloadOptions {
  kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet';
  reads?: Reading;
  secret: string;
  /** One more Secret, read by env. */
  alsoReads?: string;
  replicas?: number;
  /** Of the pod template; see tools/controlplane/stages.yaml. */
  annotations?: Record<string, string>;
  /** Merged into spec. */
  spec?: object;
}

export function workload(name: string, options: WorkloadOptions) {
  const { kind = 'Deployment', reads = 'env', secret, alsoReads, replicas = 1, annotations = {}, spec = {} } = options;
  const labels = { app: name };
  const pod = reading(reads, secret);
  if (alsoReads !== undefined) pod.containers.push({ ...reading('env', alsoReads).containers[0], name: 'also' });
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas }),
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations },
        spec: {
          terminationGracePeriodSeconds: 0,
          tolerations: [{ operator: 'Exists' }],
          ...pod,
        },
      },
      ...spec,
    },
  };
}
