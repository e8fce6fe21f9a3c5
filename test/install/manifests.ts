/** Objects as helm and kustomize give them. */
import { parseAllDocuments } from 'yaml';

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [field: string]: unknown;
}

export interface Rule {
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
  verbs: string[];
}

export interface Deployment extends Manifest {
  spec: {
    template: {
      metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
      spec: {
        serviceAccountName: string;
        terminationGracePeriodSeconds: number;
        containers: [Container];
        volumes?: { name: string; secret?: { secretName: string } }[];
      };
    };
  };
}

interface Container {
  image: string;
  args: string[];
  env: EnvironmentVariable[];
  lifecycle?: { preStop: { sleep: { seconds: number } } };
  ports: { name: string; containerPort: number }[];
  volumeMounts?: { name: string; mountPath: string }[];
}

export interface EnvironmentVariable {
  name: string;
  value?: string;
  valueFrom?: { fieldRef?: { fieldPath: string } };
}

export function readManifests(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);
}

/** `kind/name`, which no two objects of this project share. */
export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}

/** The first one, or that whose name ends so. */
export function theDeployment(manifests: readonly Manifest[], ending = ''): Deployment {
  const found = manifests.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name.endsWith(ending));
  if (found === undefined) throw new Error('there is no Deployment');
  return found as Deployment;
}

export function containerOf(deployment: Deployment) {
  return deployment.spec.template.spec.containers[0];
}

export const names = (objects: readonly Manifest[]) => objects.map(nameOf).sort();

/** Without the marks that only helm's own objects have. */
export function comparable(object: Manifest): Manifest {
  const { labels = {}, annotations, ...metadata } = object.metadata;
  const ours = { ...labels };
  for (const key of ['helm.sh/chart', 'managed-by', 'version', 'instance', 'component'])
    delete ours[key.includes('/') ? key : `app.kubernetes.io/${key}`];
  const others = Object.fromEntries(
    Object.entries(annotations ?? {}).filter(([key]) => key !== 'helm.sh/resource-policy'),
  );
  return { ...object, metadata: { ...metadata, labels: ours, annotations: others } };
}
