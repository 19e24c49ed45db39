import type { Table } from './group.js';

type Cell = string | number | null;

/** The table as text: words to the left, numbers to the right. */
export function printTable({ title, columns, rows }: Table): string {
  const keys = Object.keys(columns);
  const head = keys.map((key) => columns[key] ?? '');
  const body = rows.map((row) => keys.map((key) => row[key] ?? null));
  const isText = keys.map((_, index) => body.some((cells) => typeof cells[index] === 'string'));
  const texts = body.map((cells) => cells.map(toText));
  const widths = keys.map((_, index) =>
    Math.max(...[head, ...texts].map((cells) => widthOf(cells[index] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => {
        const space = ' '.repeat((widths[index] ?? 0) - widthOf(cell));
        return isText[index] === true ? cell + space : space + cell;
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [title, '', line(head), rule, ...texts.map(line)].join('\n');
}

/** Three significant digits are all that these measurements are worth. */
function toText(cell: Cell): string {
  if (cell === null) return '–';
  if (typeof cell === 'string') return cell;
  if (Number.isInteger(cell) || Math.abs(cell) >= 100) return Math.round(cell).toLocaleString('en');
  return cell.toPrecision(3);
}

function widthOf(text: string): number {
  return Array.from(text).length;
}
