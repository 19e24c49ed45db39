import { createServer } from 'node:net';
import { runCli } from '../../../cli/run-cli.js';
import { waitUntil } from '../../support/example-app.js';

const { jest } = import.meta;

describe('npx nestjs-wechat-iam', () => {
  let output: string;
  let errors: string;

  beforeEach(() => {
    output = '';
    errors = '';
    jest.spyOn(console, 'log').mockImplementation((text: unknown) => void (output += `${String(text)}\n`));
    jest.spyOn(console, 'error').mockImplementation((text: unknown) => void (errors += `${String(text)}\n`));
  });
  afterEach(() => jest.restoreAllMocks());

  it('starts the emulator, prints its address on one line and stops on a signal', async () => {
    const finished = runCli(['emulator', '--port', '0']);
    await waitUntil(() => output !== '');
    const address = /^emulator (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(output)?.[1] ?? '';
    const answer = await fetch(`${address}/_emulator`);

    process.emit('SIGTERM');

    expect(await finished).toBe(0);
    expect(answer.status).toBe(200);
    await expect(fetch(address)).rejects.toThrow();
  });

  it('tells how to call it', async () => {
    expect(await runCli(['--help'])).toBe(0);
    expect(output).toContain('emulator');

    expect(await runCli(['emulator', '--help'])).toBe(0);
    expect(output).toContain('--port');
  });

  it.each([
    [[]],
    [['no-such-command']],
    [['emulator', '--port', 'x']],
    [['emulator', '--port', '70000']],
    [['emulator', '--no-such-option']],
    [['emulator', 'unexpected']],
  ])('exits with 2 when it is called wrongly: %j', async (args) => {
    expect(await runCli(args)).toBe(2);
    expect(errors).toMatch(/^.+ Try: nestjs-wechat-iam.* --help\n$/);
    expect(output).toBe('');
  });

  it('exits with 1 and says why when the emulator cannot start', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();

    const port = typeof address === 'object' && address !== null ? String(address.port) : '';
    expect(await runCli(['emulator', '--port', port])).toBe(1);

    expect(errors).toContain(port);
    await new Promise((resolve) => other.close(resolve));
  });
});
