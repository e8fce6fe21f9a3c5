/** What docs/policies.md shows of policies is so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RULES } from '../../src/domain/policy/rules.ts';
import { tokenwright } from '../cli/built.ts';
import { folder } from '../cli/policy/manifests.ts';
import { pageOf, root } from './markdown.ts';

const text = readFileSync(join(root, 'docs/policies.md'), 'utf8');
const { blocks } = pageOf('docs/policies.md', text);
const [policy = '', table = ''] = blocks.filter(({ language }) => language === 'yaml').map((block) => block.text);
const sentence = blocks.find(({ language }) => language === 'text')?.text.trim();

it('its policy passes its table, in the sentence that it shows', async () => {
  const path = folder({ 'payments-policy.yaml': policy, 'payments.yaml': table });
  const { code, stdout } = await tokenwright(['policy', 'test', join(path, 'payments.yaml'), '-o', 'json']);
  expect(code).toBe(0);
  const { cases } = JSON.parse(stdout);
  expect(cases.map(({ messages }: { messages: string[] }) => messages)).toEqual([[], [sentence]]);
});

it('each rule has its line', () => {
  for (const { name } of RULES) expect(text).toMatch(new RegExp(`^\\| .*\\| ${name} \\| \\S`, 'm'));
});
