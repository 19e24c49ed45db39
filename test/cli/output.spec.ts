import stringWidth from 'string-width';
import { pairs, table, visibleJson, visibleLines } from '../../cli/output.js';

it.each([
  ['abc', 3],
  ['小兰', 4],
  ['（公）', 6],
  ['é', 1],
  ['e\u0301', 1],
  ['😀', 2],
  ['👨‍👩‍👧', 2],
  ['❤️', 2],
  ['ﾊﾝ', 2],
  ['', 0],
])('%s takes %d cells', (text, width) => {
  expect(stringWidth(text)).toBe(width);
});

it('aligns columns by what a terminal shows, and cuts nothing off', () => {
  const long = 'x'.repeat(300);

  expect(
    table(
      ['name', 'id'],
      [
        ['小兰', '1'],
        ['Lan', long],
        [null, true],
      ],
    ).split('\n'),
  ).toEqual(['name  id', '小兰  1', `Lan   ${long}`, '–     yes']);
  expect(pairs({ a: 1, 'b c': '' })).toBe('a    1\nb c  –');
});

it('shows nothing that drives the terminal', () => {
  const hostile = 'a\u001b[2J\nb\u009b1m\u202ec';

  expect(table(['n'], [[hostile]])).toBe('n\na\ufffd[2J\ufffdb\ufffd1m\ufffdc');
  expect(visibleLines('one\ntwo\r\u001b')).toBe('one\ntwo\ufffd\ufffd');
  expect(visibleJson({ hostile })).not.toMatch(/[\u001b\u009b\u202e]/);
  expect(JSON.parse(visibleJson({ hostile }))).toEqual({ hostile });
});
