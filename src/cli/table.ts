/** Tables as kubectl prints them: no lines, columns three spaces apart. */
import { plain, type Style, type Terminal } from './terminal.ts';

export interface Column<T> {
  readonly title: string;
  readonly of: (item: T) => string | number | undefined;
  readonly style?: (item: T) => Style | undefined;
}

const GAP = '   ';

export function table<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  { paint }: Pick<Terminal, 'paint'>,
): string {
  const cells = items.map((item) => columns.map(({ of }) => cellOf(of(item))));
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const line = (texts: readonly string[], styles: readonly (Style | undefined)[]) =>
    texts
      // painted after it was padded: a colour has a length, but no width
      .map((text, at) => paint(styles[at], text) + ' '.repeat((widths[at] ?? 0) - text.length))
      .join(GAP)
      .trimEnd();
  const titles = columns.map(({ title }) => title);
  const lines = items.map((item, row) =>
    line(
      cells[row] ?? [],
      columns.map(({ style }) => style?.(item)),
    ),
  );
  return `${[line(titles, []), ...lines].join('\n')}\n`;
}

function cellOf(value: string | number | undefined): string {
  return value === undefined || value === '' ? '<none>' : plain(String(value));
}
