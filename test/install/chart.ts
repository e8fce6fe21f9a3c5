/** What the chart renders, without a cluster. */
import { type Clients, chart } from './binaries.ts';
import { type Outcome, tryCommand } from './command.ts';
import { type Manifest, readManifests } from './manifests.ts';

export class Chart {
  readonly #tools: Clients;

  constructor(tools: Clients) {
    this.#tools = tools;
  }

  /** `set` as helm's --set takes it. */
  template(...set: string[]): Promise<Outcome> {
    const settings = set.flatMap((value) => ['--set', value]);
    const { helm, kubeVersion } = this.#tools;
    const args = ['template', 'tokenwright', chart, '--namespace=tokenwright-system', `--kube-version=${kubeVersion}`];
    return tryCommand(helm, [...args, ...settings]);
  }

  /** Throws with helm's words where it fails. */
  async render(...set: string[]): Promise<Manifest[]> {
    const { code, stdout, stderr } = await this.template(...set);
    if (code !== 0) throw new Error(stderr);
    return readManifests(stdout);
  }
}
