import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONDITION_TYPES } from '../../src/api/conditions.ts';
import { ROTATE_REQUESTED_AT_ANNOTATION, SECRET_KEYS, versionAnnotation } from '../../src/api/names.ts';
import { REASONS } from '../../src/api/reasons.ts';

const crd = readFileSync(join(import.meta.dirname, '../../crds/tokenwright.dev_apitokens.yaml'), 'utf8');

describe('names', () => {
  it('are those that the CRD speaks of', () => {
    const keys = Object.values(SECRET_KEYS).map((key) => `'${key}'`);
    expect(crd).toContain(`k in [${keys.join(', ')}]`);
    expect(crd).toContain(ROTATE_REQUESTED_AT_ANNOTATION);
  });

  it('of annotations hold a token id whole', () => {
    expect(versionAnnotation('7Yx3kQ2m')).toBe('version.tokenwright.dev/7Yx3kQ2m');
  });
});

describe('reasons', () => {
  it.each(Object.entries(REASONS))('%s is a name that conditions take, with one line on it', (reason, line) => {
    expect(reason).toMatch(/^[A-Z][A-Za-z]{2,62}$/);
    expect(line).toMatch(/^\S.{10,130}\.$/);
  });
});

describe('conditions', () => {
  it('are all described in the CRD', () => {
    for (const type of CONDITION_TYPES) expect(crd).toContain(type);
  });
});
