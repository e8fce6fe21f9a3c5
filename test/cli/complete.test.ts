import { Argument, Command, Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { type Completion, complete, formatCompletion } from '../../src/cli/complete.ts';

const program = new Command('tokenwright')
  .addCommand(
    new Command('get')
      .description('List them.')
      .argument('[NAME...]')
      .addOption(new Option('-o, --output <FORMAT>', 'How.').choices(['json', 'yaml']))
      .addOption(new Option('-n, --namespace <NAME>', 'Where.'))
      .addOption(new Option('--kubeconfig <FILE>', 'Which.'))
      .addOption(new Option('-A, --all-namespaces', 'Everywhere.')),
  )
  .addCommand(new Command('rotate').summary('Now.').description('Long.').argument('<NAME>'))
  .addCommand(new Command('completion').addArgument(new Argument('<SHELL>').choices(['bash'])))
  .addCommand(
    new Command('policy')
      .addCommand(new Command('check').addOption(new Option('-f, --filename <FILE>', 'Which.')))
      .addCommand(new Command('test').argument('<FILE...>'))
      .addCommand(new Command('explain').argument('<NAME>')),
  )
  .addCommand(new Command('__complete'), { hidden: true });

function words(found: Completion): string[] {
  return found.is === 'words' ? found.candidates.map(({ word }) => word) : [found.is];
}

describe('where the cursor is', () => {
  const FLAGS = ['--output', '--namespace', '--kubeconfig', '--all-namespaces'];
  it.each<[string[], string[]]>([
    [[], ['get', 'rotate', 'completion', 'policy']],
    [['r'], ['get', 'rotate', 'completion', 'policy']],
    [
      ['help', ''],
      ['get', 'rotate', 'completion', 'policy'],
    ],
    [['help', 'get', ''], []],
    [['nothing', ''], []],
    [['get', '-'], FLAGS],
    [['get', '--o'], FLAGS],
    [
      ['get', '-o', ''],
      ['json', 'yaml'],
    ],
    [
      ['get', '--output', 'j'],
      ['json', 'yaml'],
    ],
    [['get', '--kubeconfig', ''], ['files']],
    [['get', '-n', ''], []],
    [['get', ''], ['tokens']],
    [['get', 'a', 'b', ''], ['tokens']],
    [['get', '-A', ''], ['tokens']],
    [['get', '-o', 'json', ''], ['tokens']],
    [['get', '--unknown', ''], ['tokens']],
    [['rotate', ''], ['tokens']],
    [['rotate', 'a', ''], []],
    [
      ['policy', ''],
      ['check', 'test', 'explain'],
    ],
    [
      ['policy', 'help', ''],
      ['check', 'test', 'explain'],
    ],
    [['policy', 'nothing', ''], []],
    [['policy', 'check', '-'], ['--filename']],
    [['policy', 'check', '-f', ''], ['files']],
    [['policy', 'check', ''], []],
    [['policy', 'test', 'a', ''], ['files']],
    [['policy', 'explain', ''], ['tokens']],
  ])('%j stands one of %j', (given, expected) => {
    expect(words(complete(program, given))).toEqual(expected);
  });

  it('names are asked of the cluster that the flags choose, without those that are there', () => {
    const found = complete(program, ['get', 'a', '-n', 'support', '--kubeconfig=/k', '']);
    expect(found).toEqual({
      is: 'tokens',
      taken: ['a'],
      flags: new Map([
        ['namespace', 'support'],
        ['kubeconfig', '/k'],
      ]),
    });
  });
});

describe('told in the words of cobra', () => {
  it('are the candidates that fit, what they mean, and that no files do', () => {
    const candidates = [{ word: 'a1', means: 'the\tfirst\none' }, { word: 'a2' }, { word: 'b' }];
    expect(formatCompletion(candidates, 'a')).toBe('a1\tthe first one\na2\n:4\n');
  });

  it('are files', () => {
    expect(formatCompletion('files', 'a')).toBe(':0\n');
  });
});
