/** A file that holds what a Secret holds, renewed as a kubelet renews a volume. */
import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SCRATCH } from '../harness/operator.ts';
import { keyOfSecret, type Stage } from '../harness/stage.ts';

export class SecretFile {
  readonly path = join(SCRATCH, randomUUID());
  readonly #stage: Stage;
  #held: string | undefined;
  #isClosed = false;

  /** From when it stands there. */
  constructor(stage: Stage, secret: string) {
    this.#stage = stage;
    const look = () => {
      const value = keyOfSecret(stage.secret(secret), 'token');
      if (value !== undefined && value !== this.#held) this.#renew(value);
      return this.#isClosed;
    };
    void stage.timeline.until(`the file of ${secret} is closed`, look, 86_400);
  }

  close(): void {
    this.#isClosed = true;
    this.#stage.timeline.poke();
  }

  /** In one step: who reads it meanwhile reads the old value or the new one. */
  #renew(value: string): void {
    this.#held = value;
    writeFileSync(`${this.path}.new`, value, { mode: 0o600 });
    renameSync(`${this.path}.new`, this.path);
  }
}
