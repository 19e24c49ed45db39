import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { StandardInput } from '../../cli/input.js';

/** A terminal as far as the code can tell; `typed` is what the person types. */
function terminal(typed: string) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const stderr = new PassThrough();
  stdin.write(typed);
  return { input: new StandardInput(stdin, stderr), shown: () => (stderr.end(), text(stderr)) };
}

describe('standard input', () => {
  it('gives a secret a line, without the line break', async () => {
    const input = new StandardInput(Readable.from(['first\r\n', ' second \n']), new PassThrough());

    expect([await input.line('a'), await input.line('b')]).toEqual(['first', 'second']);
    await expect(input.line('--mp-token-from')).rejects.toThrow('--mp-token-from');
  });

  it('asks a person at a terminal, and does not show what they type', async () => {
    const { input, shown } = terminal('the-secreX\u007ft\r');

    expect(await input.line('--mp-app-secret-from')).toBe('the-secret');
    expect(await shown()).toBe('--mp-app-secret-from: \n');
  });

  it('lets a person leave with Ctrl-C', async () => {
    const { input } = terminal('half\u0003');

    await expect(input.line('--mp-app-secret-from')).rejects.toThrow('Interrupted');
  });
});
