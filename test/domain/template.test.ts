import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTemplate, METADATA_NAMES, renderTemplate } from '../../src/domain/template.ts';

const VALUES = { token: 'twk_a', tokenID: '7Yx3kQ2m', version: '3', expirationTime: '2026-01-01T00:00:00Z' };

describe('a template', () => {
  it.each([
    ['Bearer $(token)', 'Bearer twk_a'],
    ['$(tokenID)/$(version)/$(expirationTime)', '7Yx3kQ2m/3/2026-01-01T00:00:00Z'],
    ['$(token)$(token)', 'twk_atwk_a'],
    ['', ''],
    ['plain', 'plain'],
    ['$$(token)', '$(token)'],
    ['$$$(token)', '$twk_a'],
    ['$$$$(token)', '$$(token)'],
    ['$', '$'],
    ['cost: $5', 'cost: $5'],
    ['cost: $$5', 'cost: $5'],
    ['{{ .token }} $token $[token] $ (token)', '{{ .token }} $token $[token] $ (token)'],
    [')(', ')('],
  ])('%j becomes %j', (template, text) => {
    expect(checkTemplate(template)).toBeUndefined();
    expect(renderTemplate(template, VALUES)).toBe(text);
  });

  it.each([
    ['$(password)', /"\$\(password\)" is not known here: use \$\(token\), .*/],
    ['$()', /"\$\(\)" is not known/],
    ['$( token )', /is not known/],
    ['$(Token)', /is not known/],
    ['$(toString)', /is not known/],
    ['$(__proto__)', /is not known/],
    ['$($(token))', /"\$\(\$\(token\)" is not known/],
    ['ab $(token', /at character 4 is never closed/],
    ['$(token) $(', /at character 10 is never closed/],
  ])('%j is told about, and left as it stands', (template, sentence) => {
    expect(checkTemplate(template)).toMatch(sentence);
    expect(renderTemplate(template, VALUES)).toBe(template.replace(/^\$\(token\) /, 'twk_a '));
  });

  it('of metadata must not hold the value', () => {
    expect(checkTemplate('$(token)', METADATA_NAMES)).toMatch(/"\$\(token\)" is not known here/);
    expect(checkTemplate('v$(version)', METADATA_NAMES)).toBeUndefined();
  });

  it('does not read again what a value brought in', () => {
    expect(renderTemplate('$(token)', { ...VALUES, token: '$(version) $$' })).toBe('$(version) $$');
  });

  it('shows no more than the beginning of a long name', () => {
    expect(checkTemplate(`$(${'x'.repeat(4000)})`)?.length).toBeLessThan(200);
  });

  it('once escaped renders as itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '(', ')', 'token', 'x') }), (text) => {
        const escaped = text.replaceAll('$', '$$$$');
        expect(checkTemplate(escaped)).toBeUndefined();
        expect(renderTemplate(escaped, VALUES)).toBe(text);
      }),
    );
  });

  it('takes time in proportion to its length', () => {
    const start = performance.now();
    for (const hard of ['$(', '$', '$(x', '$$(', '$()']) {
      checkTemplate(hard.repeat(200_000));
      renderTemplate(hard.repeat(200_000), VALUES);
    }
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
