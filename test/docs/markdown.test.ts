import { describe, expect, it } from 'vitest';
import { isRun } from './commands.ts';
import { commandsOf, pageOf, stepsOf } from './markdown.ts';

const PAGE = `Text with \`--a-flag\` and [a link](docs/other.md#there).

\`\`\`sh
# a comment
kubectl get apitokens \\
  -A | sort
npm test
\`\`\`

- in a list:

  \`\`\`console
  $ kubectl get pods
  No resources found
  \`\`\`

\`\`\`yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: declared}
\`\`\`

\`\`\`yaml
values: of a chart
\`\`\`
`;

describe('a page', () => {
  const page = pageOf('page.md', PAGE);

  it('has commands and manifests, each with its line', () => {
    expect(stepsOf(page)).toEqual([
      { line: 3, command: 'kubectl get apitokens -A | sort' },
      { line: 3, command: 'npm test' },
      { line: 12, command: 'kubectl get pods' },
      {
        line: 17,
        command: 'kubectl apply -f -',
        manifest: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: declared}',
      },
    ]);
  });

  it('has code and links outside its blocks', () => {
    expect(page).toMatchObject({ code: ['--a-flag'], links: ['docs/other.md#there'] });
  });

  it('has no commands in what is no shell', () => {
    expect(page.blocks.filter(({ language }) => language === 'yaml').flatMap(commandsOf)).toEqual([]);
  });
});

it.each([
  ['kubectl get pods', true],
  ['npm test', true],
  ['npm run demo', true],
  ['npm run unheard-of', false],
  ['helm install tokenwright charts/tokenwright', false],
  ['helm template tokenwright charts/tokenwright', true],
  ['kubectl-unheard-of', false],
])('`%s` is run: %s', (command, expected) => {
  expect(isRun(command)).toBe(expected);
});
