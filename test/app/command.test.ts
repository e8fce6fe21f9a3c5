/** What every command has in common; test/app/operator-config.test.ts has the flags of a service and their environment. */
import { describe, expect, it } from 'vitest';
import {
  argumentsOf,
  choice,
  createCommand,
  HelpShown,
  onlyOn,
  optional,
  repeatable,
  UsageError,
  type Values,
  valuesOf,
  withDefault,
} from '../../src/app/command.ts';
import { anyText, duration, namespaceName, tokenID, tokenName } from '../../src/app/flags.ts';

const FLAGS = {
  namespace: optional('NAME', namespaceName, 'Where.', 'n'),
  output: choice('FORMAT', ['json', 'yaml'], 'How.', 'o'),
  wait: onlyOn('Longer.', 'w'),
  timeout: withDefault('DURATION', duration(1, 60), '5s', 'How long.'),
  label: repeatable('TEXT', anyText, 'Which.'),
};

function run(argv: string[]): { flags: Values<typeof FLAGS>; names: readonly string[] } {
  const found: ReturnType<typeof run>[] = [];
  const command = createCommand({ name: 'get', description: 'Get.', flags: FLAGS }).argument('<NAME...>', 'Whom.');
  command.action(() => void found.push({ flags: valuesOf(command, FLAGS), names: argumentsOf(command, tokenName) }));
  const program = createCommand({ name: 'tokenwright', description: '' }).addCommand(command);
  program.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  command.configureOutput({ writeOut: () => {} });
  program.parse(argv, { from: 'user' });
  return found[0] ?? expect.unreachable();
}

function refused(argv: string[]): string {
  try {
    run(argv);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return expect.unreachable();
}

describe('a command line', () => {
  const NONE = { namespace: undefined, output: undefined, wait: false, timeout: 5, label: [] };

  it.each<[string[], Partial<Values<typeof FLAGS>>, string[]]>([
    [['a'], {}, ['a']],
    [['a', '--wait', 'b'], { wait: true }, ['a', 'b']],
    [['-w', 'a'], { wait: true }, ['a']],
    [['-n', 'ns', '-o', 'json', 'a'], { namespace: 'ns', output: 'json' }, ['a']],
    [['-nns', '-ojson', 'a'], { namespace: 'ns', output: 'json' }, ['a']],
    [['-n=ns', '-o=yaml', 'a'], { namespace: 'ns', output: 'yaml' }, ['a']],
    [['--namespace=ns', 'a', '--timeout', '1m'], { namespace: 'ns', timeout: 60 }, ['a']],
    [['--label=x', '--label', '=y', 'a'], { label: ['x', '=y'] }, ['a']],
    [['apitoken.tokenwright.dev/a', 'apitoken/b', 'atok/c', 'apitokens/d'], {}, ['a', 'b', 'c', 'd']],
  ])('%j is read', (argv, flags, names) => {
    expect(run(['get', ...argv])).toEqual({ flags: { ...NONE, ...flags }, names });
  });

  it.each<[string[], string]>([
    [['get'], 'NAME is missing.\nRun "tokenwright get --help" for all flags.\n'],
    [['get', 'a/b'], 'NAME must be the name of an ApiToken: at most 63 of a-z, 0-9 and -, not "a/b".'],
    [['get', 'A', 'b', 'C'], 'not "A".\nNAME must'],
    [['get', 'a', '--wait=true'], '--wait takes no value.'],
    [['get', 'a', '-w', '-w'], '--wait is given twice.'],
    [['get', 'a', '-n', ''], '--namespace needs a value: --namespace=NAME.'],
    [['get', 'a', '-n='], '--namespace needs a value: --namespace=NAME.'],
    [['get', 'a', '-n'], '--namespace needs a value: --namespace=NAME.'],
    [['get', 'a', '--outptu=json'], 'There is no flag --outptu. Did you mean --output?'],
    [['get', 'a', '-o', 'xml'], '--output must be one of json, yaml, not "xml".'],
    [['gte'], 'There is no command "gte". Did you mean get?\nRun "tokenwright --help" for all flags.\n'],
    [[], 'Name a command.\nRun "tokenwright --help" for all flags.\n'],
  ])('%j is told what is wrong', (argv, sentence) => {
    expect(refused(argv)).toContain(sentence);
  });

  it.each([[['--help']], [['get', '-h']], [['help', 'get']]])('%j is help, and nothing runs', (argv) => {
    expect(() => run(argv)).toThrow(HelpShown);
  });
});

it.each<[string, boolean]>([
  ['7Yx3kQ2m', true],
  ['7Yx3kQ2', false],
  ['7Yx3kQ2-', false],
])('%s is a token id: %s', (text, is) => {
  expect('value' in tokenID(text)).toBe(is);
});
