import { beforeEach, describe, expect, it } from 'vitest';
import { ServerClock } from '../../src/kube/server-clock.ts';

const noon = Date.parse('2026-11-23T12:00:00Z');
const minute = 60_000;

let wall: number;
let monotonic: number;
let clock: ServerClock;

beforeEach(() => {
  wall = noon;
  monotonic = 5000;
  clock = new ServerClock({ wall: () => wall, monotonic: () => monotonic });
});

function pass(ms: number): void {
  wall += ms;
  monotonic += ms;
}

function httpDate(epochMs: number): string {
  return new Date(epochMs).toUTCString();
}

describe('the clock', () => {
  it("is the machine's until the server has said what time it is", () => {
    expect(clock.now()).toBe(noon);
  });

  it("is the server's when that is later, and goes on from there", () => {
    clock.observe(httpDate(noon + 10 * minute));
    expect(clock.now()).toBe(noon + 10 * minute);
    pass(1500);
    expect(clock.now()).toBe(noon + 10 * minute + 1500);
  });

  it("is the machine's when that is later", () => {
    clock.observe(httpDate(noon - 10 * minute));
    expect(clock.now()).toBe(noon);
  });

  it('goes on by the monotonic clock when the machine is set back', () => {
    clock.observe(httpDate(noon));
    pass(2000);
    expect(clock.now()).toBe(noon + 2000);
    wall -= 60 * minute;
    monotonic += 3000;
    expect(clock.now()).toBe(noon + 5000);
  });

  it('stands still rather than go back', () => {
    pass(minute);
    expect(clock.now()).toBe(noon + minute);
    wall -= 10 * minute;
    expect(clock.now()).toBe(noon + minute);
  });

  it('keeps the greatest of several bounds: an answer may have been long on its way', () => {
    clock.observe(httpDate(noon + minute));
    pass(30_000);
    clock.observe(httpDate(noon + minute + 10_000));
    expect(clock.now()).toBe(noon + minute + 30_000);
  });

  it('forgets a bound after 10 minutes, since the monotonic clock may run fast', () => {
    clock.observe(httpDate(noon + minute));
    // The machine's clock goes half as fast again as the server's.
    for (let passed = 0; passed < 15; passed += 1) {
      monotonic += 1.5 * minute;
      wall += minute;
      clock.observe(httpDate(wall));
    }
    expect(clock.now() - wall).toBeLessThan(6 * minute);
  });

  it('forgets it too when the server says nothing any more', () => {
    clock.observe(httpDate(noon + minute));
    monotonic += 11 * minute;
    expect(clock.now()).toBe(noon);
  });

  it('is a whole number of milliseconds', () => {
    monotonic = 5000.25;
    clock.observe(httpDate(noon + minute));
    monotonic += 0.5;
    expect(Number.isInteger(clock.now())).toBe(true);
  });

  it.each([undefined, '', 'soon', 'Mon, 99 Foo 2026'])('does not mind a Date header of %j', (header) => {
    clock.observe(header);
    expect(clock.now()).toBe(noon);
  });
});
