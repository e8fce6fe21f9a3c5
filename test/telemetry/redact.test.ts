import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { composeValue, tokenIDOf } from '../../src/domain/value.ts';
import { redact } from '../../src/telemetry/redact.ts';

const values = fc
  .tuple(fc.stringMatching(/^[a-z0-9-]{1,24}$/), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  .map(([environment, entropy]) => composeValue(environment, tokenIDOf('some-uid'), entropy).reveal());

describe('redact', () => {
  it('leaves no part of a value, wherever it stands in a text', () => {
    fc.assert(
      fc.property(fc.string(), values, fc.string(), (before, value, after) => {
        const clean = redact(`${before}${value}${after}`);
        expect(clean).not.toContain(value.slice(4, 16));
        expect(clean).not.toContain(value.slice(-16));
      }),
    );
  });

  it('leaves no value in base64, at any alignment and in both alphabets', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 40 }),
        values,
        fc.constantFrom('base64', 'base64url'),
        (before, value, alphabet) => {
          const bytes = Buffer.from(`${before}${value}`);
          const encoded = bytes.toString(alphabet);
          // the 24 characters that hold the middle of the value
          const middle = Math.floor(((Buffer.byteLength(before) + 30) * 4) / 3);
          expect(redact(`data: ${encoded}`)).not.toContain(encoded.slice(middle, middle + 24));
        },
      ),
    );
  });

  it('takes a cut value too', () => {
    expect(redact('"twk_production_7Yx3kQ2m…" is refused')).toBe('"[redacted]…" is refused');
  });

  it('takes every value of a text, and keeps what is between', () => {
    expect(redact('a twk_x_1 b twk_y_2,c')).toBe('a [redacted] b [redacted],c');
  });

  it.each(['token rotated', 'the prefix twk_ alone', 'dHdrX is five letters', '{"digest":"9f86d081884c7d65"}'])(
    'leaves %j as it is',
    (text) => {
      expect(redact(text)).toBe(text);
    },
  );

  it('stays linear on a text made against it', () => {
    const hostile = 'twk_'.repeat(500_000) + 'dHdrX '.repeat(300_000);
    const start = performance.now();
    redact(hostile);
    // quadratic would be minutes
    expect(performance.now() - start).toBeLessThan(25_000);
  });
});
