/** One ApiToken, its Secret and the revocations that match it, with an operator that takes one step at a time. */
import { type Action, decide } from '../../../src/domain/lifecycle/decide.ts';
import { withoutPast } from '../../../src/domain/lifecycle/orders.ts';
import { EMPTY_STATUS, type Seen } from '../../../src/domain/lifecycle/seen.ts';
import { addNext, promote, retire, revoke } from '../../../src/domain/lifecycle/transitions.ts';
import type { Order } from '../../../src/domain/revocation.ts';
import type { Digest } from '../../../src/domain/value.ts';
import { digest, live, NOW, SPEC, seen, TUNING } from './looks.ts';

export class SmallWorld {
  now = NOW;
  status: Seen['status'] = EMPTY_STATUS;
  isBroken = false;
  secret: { digest: Digest; version: number; settledFor?: number } | undefined;
  held = new Set<Digest>();
  orders: Order[] = [];
  readonly past = new Set<string>();
  rotateRequest: string | undefined;
  #minted = 0;

  look(): Seen {
    const { status, secret } = this;
    const version = status.versions.find((v) => v.digest === secret?.digest);
    return seen({
      status,
      sealState: this.isBroken ? 'broken' : status.lastVersion === 0 ? 'absent' : 'valid',
      secret: secret ? { is: 'ours', ...secret, intact: version !== undefined, asDeclared: true } : { is: 'absent' },
      held: this.held,
      orders: this.orders,
      pastOrders: new Set(status.handledRevocations.filter((uid) => this.past.has(uid))),
      consumers: live(),
      ...(this.rotateRequest !== undefined && { rotateRequest: this.rotateRequest }),
    });
  }

  step(): Action {
    const look = this.look();
    const action = decide(look, this.now, TUNING);
    switch (action.do) {
      case 'revoke':
        this.#write(look, revoke(look, action.orders));
        break;
      case 'mint': {
        this.#minted += 1;
        const fresh = digest(this.#minted);
        this.held.add(fresh);
        this.#write(look, addNext(look, SPEC, fresh, this.now));
        break;
      }
      case 'writeSecret':
        this.secret = { digest: action.digest, version: action.version };
        break;
      case 'promote':
        this.#write(look, promote(look, SPEC, action.version, this.now));
        break;
      case 'settle':
        if (this.secret) this.secret = { ...this.secret, settledFor: action.current };
        break;
      case 'retire':
        this.#write(look, retire(look.status, action.versions));
        break;
      case 'removeSecret':
        this.secret = undefined;
        break;
      case 'wait':
        break;
      default:
        throw new Error(`this world has no ${action.do}`);
    }
    return action;
  }

  /** Until nothing is left to do within a while; orders are sealed as they are carried out. */
  settle(): Action[] {
    const actions: Action[] = [];
    for (let step = 0; step < 200; step += 1) {
      const action = this.step();
      this.seal();
      actions.push(action);
      if (action.do !== 'wait') continue;
      if (action.until === undefined || action.until > this.now + 120) return actions;
      this.now = action.until;
    }
    throw new Error('the operator does not come to rest');
  }

  /** As the operator does with an order that every ApiToken has carried out. */
  seal(): void {
    const { handledRevocations } = this.status;
    this.orders = this.orders.map((o) => ({ ...o, sealed: o.sealed || handledRevocations.includes(o.uid) }));
  }

  /** Long sealed: nobody holds them for pending any more, and those that block nothing mean nothing. */
  age(): void {
    for (const { uid, sealed } of this.orders) if (sealed) this.past.add(uid);
    this.orders = this.orders.filter(({ sealed, afterwards }) => !sealed || afterwards === 'Block');
  }

  #write(look: Seen, status: Seen['status']): void {
    this.status = withoutPast(status, look.pastOrders);
    this.isBroken = false;
  }
}
