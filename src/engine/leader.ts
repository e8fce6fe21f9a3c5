import {
  type Clock,
  type KubeClient,
  KubeError,
  type KubeObject,
  type Logger,
  type Metrics,
  type ResourceType,
} from '../ports.ts';
import { pause } from './pause.ts';

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

const leases: ResourceType<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

export interface LeaderOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly namespace: string;
  readonly name: string;
  /** Unique among candidates: pod name and something random. */
  readonly identity: string;
  /** For the times written into the Lease, which nobody judges by. */
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: Pick<Metrics, 'leader'>;
  readonly timing?: Partial<LeaderTiming>;
  readonly random?: () => number;
}

export interface LeaderTiming {
  /** Others wait this long after the last renewal that they saw. */
  readonly leaseMs: number;
  /** Without a renewal for this long, the leader steps down. Shorter than leaseMs. */
  readonly renewMs: number;
  /** Longest pause between two looks at the Lease. */
  readonly retryMs: number;
}

const defaultTiming: LeaderTiming = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2000 };

/** How it ended: `stop` was asked for, or leadership was lost. */
export type LeadershipEnd = 'stopped' | 'lost';

/**
 * Leader election by a Lease, with the rules of client-go's leaderelection package: a holder is judged by the local,
 * monotonic time at which its last change was seen, never by the times in the Lease, so clocks need not agree.
 *
 * Two leaders at once are possible for as long as a process is frozen. Nothing may be correct by this alone.
 */
export class LeaderElection {
  readonly #options: LeaderOptions;
  readonly #timing: LeaderTiming;
  readonly #random: () => number;
  /** The Lease as last read or written, and when it was first seen so. */
  #lease: Lease | undefined;
  #seenAt = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#random = options.random ?? Math.random;
  }

  /**
   * Waits to lead, then calls `lead`, whose signal fires when leadership is lost or `stop` fires, and waits for it to
   * end. While it drains after `stop` the Lease is still renewed, and released at the end, so that another candidate
   * takes over within `retryMs`. May be called again after 'lost'.
   */
  async run(lead: (signal: AbortSignal) => Promise<void>, stop: AbortSignal): Promise<LeadershipEnd> {
    const { log, metrics, identity } = this.#options;
    metrics?.leader(false);
    if (!(await this.#win(stop))) return 'stopped';
    log.info({ identity }, 'leading');
    metrics?.leader(true);
    const lost = new AbortController();
    const ended = new AbortController();
    const leading = lead(AbortSignal.any([stop, lost.signal])).finally(() => ended.abort());
    // Awaited below; until then a rejection must not count as unhandled.
    leading.catch(() => {});
    const held = await this.#hold(ended.signal);
    metrics?.leader(false);
    if (!held) {
      log.warn({ identity }, 'leadership lost');
      lost.abort();
    }
    try {
      await leading;
    } finally {
      if (held) await this.#release();
    }
    return held ? 'stopped' : 'lost';
  }

  async #win(stop: AbortSignal): Promise<boolean> {
    while (!stop.aborted) {
      if (await this.#tried(() => this.#acquire())) {
        if (!stop.aborted) return true;
        await this.#release();
        return false;
      }
      // Shorter than retryMs, so that a look and a write fit in even on a busy machine.
      await pause(this.#timing.retryMs * (0.5 + 0.25 * this.#random()), stop);
    }
    return false;
  }

  /** Renews until `ended` fires (true), or until the Lease is another's or could not be renewed in time (false). */
  async #hold(ended: AbortSignal): Promise<boolean> {
    const { renewMs, retryMs } = this.#timing;
    let renewedAt = this.#seenAt;
    const leftMs = () => renewedAt + renewMs - performance.now();
    while (leftMs() > 0) {
      await pause(Math.min(retryMs, leftMs()), ended);
      if (ended.aborted) return true;
      const begun = performance.now();
      const answered = new AbortController();
      const late = pause(leftMs(), answered.signal).then(() => 'late' as const);
      const outcome = await Promise.race([this.#tried(() => this.#renew()), late]);
      answered.abort();
      if (outcome === 'taken') return false;
      if (outcome === 'renewed') renewedAt = begun;
    }
    return false;
  }

  async #acquire(): Promise<boolean> {
    const lease = await this.#read();
    if (lease !== undefined && !this.#isFree(lease)) return false;
    await this.#write(lease);
    return true;
  }

  async #renew(): Promise<'renewed' | 'taken'> {
    try {
      // Most renewals need no look first: the resourceVersion tells whether anyone wrote between.
      await this.#write(this.#lease);
    } catch (error) {
      if (!isReason(error, 'Conflict') && !isReason(error, 'NotFound')) throw error;
      const lease = await this.#read();
      if (lease !== undefined && lease.spec?.holderIdentity !== this.#options.identity) return 'taken';
      await this.#write(lease);
    }
    return 'renewed';
  }

  async #write(lease: Lease | undefined): Promise<void> {
    const { namespace, name, client } = this.#options;
    const begun = performance.now();
    const spec = this.#claim(lease?.spec);
    const written =
      lease === undefined
        ? await client.create(leases, { metadata: { namespace, name }, spec })
        : await client.replace(leases, { ...lease, spec });
    this.#note(written, begun);
  }

  /** Best effort: an unreleased Lease runs out. */
  async #release(): Promise<void> {
    const { client, clock, identity, log } = this.#options;
    try {
      const lease = await this.#read();
      if (lease?.spec?.holderIdentity !== identity) return;
      const now = microTime(clock.now());
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
      this.#note(await client.replace(leases, { ...lease, spec }), performance.now());
      log.info({ identity }, 'lease released');
    } catch (error) {
      log.warn({ identity, error: describe(error) }, 'lease not released');
    }
  }

  async #read(): Promise<Lease | undefined> {
    const { namespace, name, client } = this.#options;
    try {
      const lease = await client.get(leases, { namespace, name });
      this.#note(lease, performance.now());
      return lease;
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  #note(lease: Lease, at: number): void {
    if (JSON.stringify(lease.spec) !== JSON.stringify(this.#lease?.spec)) this.#seenAt = at;
    this.#lease = lease;
  }

  #isFree({ spec }: Lease): boolean {
    const { holderIdentity = '', leaseDurationSeconds = 0 } = spec ?? {};
    if (holderIdentity === '' || holderIdentity === this.#options.identity) return true;
    return performance.now() - this.#seenAt >= leaseDurationSeconds * 1000;
  }

  #claim(former: LeaseSpec | undefined): LeaseSpec {
    const { identity, clock } = this.#options;
    const now = microTime(clock.now());
    const ours = former?.holderIdentity === identity;
    return {
      ...former,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#timing.leaseMs / 1000),
      acquireTime: ours ? (former.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (former?.leaseTransitions ?? 0) + (ours || former === undefined ? 0 : 1),
    };
  }

  async #tried<R>(step: () => Promise<R>): Promise<R | undefined> {
    try {
      return await step();
    } catch (error) {
      const { identity, log } = this.#options;
      const lostRace = isReason(error, 'Conflict') || isReason(error, 'AlreadyExists');
      if (!lostRace) log.warn({ identity, error: describe(error) }, 'lease cannot be read or written, trying again');
      return undefined;
    }
  }
}

/** metav1.MicroTime wants six digits. */
function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}

function isReason(error: unknown, reason: KubeError['reason']): boolean {
  return error instanceof KubeError && error.reason === reason;
}

function describe(error: unknown): string {
  if (error instanceof KubeError) return error.message;
  return error instanceof Error ? error.name : typeof error;
}
