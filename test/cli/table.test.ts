import { expect, it } from 'vitest';
import { type Column, table } from '../../src/cli/table.ts';

interface Row {
  name: string;
  count?: number;
  note?: string;
}

const columns: Column<Row>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'COUNT', of: ({ count }) => count, style: ({ count }) => (count === 0 ? 'red' : undefined) },
  { title: 'NOTE', of: ({ note }) => note },
];
const paint = (style: string | undefined, text: string) => (style === undefined ? text : `<${text}>`);

it('has columns as wide as their widest cell, whatever its colour, and no blanks at the end', () => {
  const rows = [
    { name: 'a', count: 0, note: 'x' },
    { name: 'longer-name', count: 123_456, note: '' },
    { name: 'b', note: 'tab\there' },
  ];
  expect(table(rows, columns, { paint })).toBe(
    [
      'NAME          COUNT    NOTE',
      'a             <0>        x',
      'longer-name   123456   <none>',
      'b             <none>   tab here',
      '',
    ].join('\n'),
  );
});
