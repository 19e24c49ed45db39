import { createServer } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runCli } from '../../cli/run-cli.js';
import { command } from './support/run-command.js';
import { waitUntil } from '../support/example-app.js';

describe('npx nestjs-wechat-iam', () => {
  it.each([
    [[], /^emulator (http:\/\/127\.0\.0\.1:\d+)\n$/],
    [['--json'], /"url": "(http:\/\/127\.0\.0\.1:\d+)"/],
  ])('starts the emulator, prints its address and stops on a signal: %j', async (more, form) => {
    const stdout = new PassThrough({ encoding: 'utf8' });
    const streams = { stdin: Readable.from([]), stdout, stderr: new PassThrough() };
    const finished = runCli(['emulator', '--port', '0', ...more], { ...streams, variables: {} });
    let output = '';
    stdout.on('data', (chunk: string) => (output += chunk));
    await waitUntil(() => output !== '');
    const address = form.exec(output)?.[1] ?? '';
    const answer = await fetch(`${address}/_emulator`);

    process.emit('SIGTERM');

    expect(await finished).toBe(0);
    expect(answer.status).toBe(200);
    await expect(fetch(address)).rejects.toThrow();
  });

  it('tells how to call it', async () => {
    const overview = await command(['--help']);
    expect(overview).toMatchObject({ exitCode: 0, stderr: '' });
    expect(overview.stdout).toContain('emulator');

    const help = await command(['emulator', '--help']);
    expect(help.exitCode).toBe(0);
    expect(help.stdout).toContain('--port N');
    expect(await command(['help', 'emulator'])).toMatchObject({ stdout: help.stdout });
    expect((await command(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    [[]],
    [['no-such-command']],
    [['--port', '1']],
    [['emulator', '--port', 'x']],
    [['emulator', '--port', '70000']],
    [['emulator', '--port']],
    [['emulator', '--port', '--json']],
    [['emulator', '--port', '1', '--port', '2']],
    [['emulator', '--no-such-option']],
    [['emulator', '--toString', 'x']],
    [['emulator', 'unexpected']],
    [['emulator', '--help=yes']],
  ])('exits with 2 when it is called wrongly: %j', async (args) => {
    const text = await command(args.filter((arg) => arg !== '--json'));
    expect(text).toMatchObject({ exitCode: 2, stdout: '' });
    expect(text.stderr).toMatch(/^.+ Try: nestjs-wechat-iam.* --help\n$/);

    const json = await command([...args, '--json']);
    expect(json).toMatchObject({ exitCode: 2, stderr: '' });
    expect(json.json()).toMatchObject({ error: { code: 'usage' } });
  });

  it.each([
    [['emulatr'], 'Did you mean emulator?'],
    [['emulator', '--prot', '1'], 'Did you mean --port?'],
    [['emulator', '--jsn'], 'Did you mean --json?'],
  ])('names what was probably meant: %j', async (args, hint) => {
    const { stderr } = await command(args);

    expect(stderr).toContain(hint);
  });

  it('repeats no argument that it does not understand, because it might be a secret', async () => {
    const secret = 'abcdef0123456789abcdef0123456789';

    const outcomes = [
      await command(['emulator', secret]),
      await command(['emulator', `--host=${secret}`, '--port', secret]),
      await command(['emulator', `--json=${secret}`]),
      await command(['emulator', `--nothing=${secret}`]),
    ];

    for (const { exitCode, stderr } of outcomes) {
      expect(exitCode).toBe(2);
      expect(stderr).not.toContain(secret);
    }
  });

  it('exits with 1 and says why when the emulator cannot start', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? String(address.port) : '';

    const { exitCode, stderr } = await command(['emulator', '--port', port]);

    expect(exitCode).toBe(1);
    expect(stderr).toContain(`port ${port}`);
    expect(stderr).toContain('--port N');
    await new Promise((resolve) => other.close(resolve));
  });

  it('goes on when nobody reads its output any more', async () => {
    const stdout = new PassThrough();
    stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    const stderr = new PassThrough();

    const exitCode = await runCli(['--help'], { stdin: Readable.from([]), stdout, stderr, variables: {} });

    stderr.end();
    expect([exitCode, await text(stderr)]).toEqual([0, '']);
  });
});
