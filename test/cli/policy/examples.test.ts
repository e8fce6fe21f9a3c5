/** Each policy in deploy/examples/policies by the table beside it. */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { declaredIn } from '../../../src/cli/policy/manifests.ts';
import { tablesIn } from '../../../src/cli/policy/table-file.ts';
import { RULES } from '../../../src/domain/policy/rules.ts';
import { tokenwright } from '../built.ts';

const FOLDER = 'deploy/examples/policies';
const FILES = globSync(`${FOLDER}/*.yaml`).map((file) => basename(file));

it.each(FILES)('%s passes its table, which breaks each of its rules', async (file) => {
  const path = join(FOLDER, 'tests', file);
  const { code, stdout, stderr } = await tokenwright(['policy', 'test', path]);
  expect({ code, stdout, stderr }).toEqual({
    code: 0,
    stdout: '',
    stderr: expect.stringMatching(/^\d+ cases passed\.\n$/),
  });
  const [table] = await tablesIn([path]);
  const broken = new Set(table?.cases.flatMap(({ expect }) => expect.map(({ rule }) => rule)));
  const [policy] = table?.policies ?? [];
  expect(policy?.problem).toBeUndefined();
  expect([...broken].filter((rule) => rule !== 'NoPolicy').sort()).toEqual(
    policy?.rules.map(({ name }) => name).sort(),
  );
});

it('are all in the folder that the documentation checks', async () => {
  const { policies, tokens } = await declaredIn({ filenames: [FOLDER], policies: [], namespaces: [] });
  expect(policies.map(({ metadata }) => `${metadata.name}.yaml`).sort()).toEqual(FILES.sort());
  expect(tokens.map(({ name }) => name)).toEqual(['advisor']);
});

describe('together', () => {
  it('show each rule that there is', async () => {
    const tables = await tablesIn([join(FOLDER, 'tests')]);
    const shown = new Set(
      tables.flatMap(({ policies }) => policies.flatMap(({ rules }) => rules.map(({ name }) => name))),
    );
    expect([...shown]).toEqual(expect.arrayContaining(RULES.map(({ name }) => name)));
  });
});
