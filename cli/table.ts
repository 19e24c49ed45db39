import { displayWidth } from './display-width.js';
import { visible } from './visible-text.js';

/** What a cell may hold; null and the empty text are shown as `–`. */
export type Cell = string | number | boolean | null;

/** Rows under a heading, columns aligned by what a terminal shows. Nothing is cut off. */
export function table(heading: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return align([heading, ...rows]);
}

/** Names and their values, one pair a line. */
export function pairs(entries: Readonly<Record<string, Cell>>): string {
  return align(Object.entries(entries));
}

function align(rows: readonly (readonly Cell[])[]): string {
  const lines = rows.map((row) => row.map(show));
  const columns = Math.max(0, ...lines.map(({ length }) => length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...lines.map((line) => displayWidth(line[column] ?? ''))),
  );
  const pad = (text: string, column: number) => text + ' '.repeat((widths[column] ?? 0) - displayWidth(text));
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

function show(cell: Cell): string {
  if (cell === null || cell === '') return '–';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return visible(String(cell));
}
