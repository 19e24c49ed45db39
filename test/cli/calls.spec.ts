import { createServer } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import stringWidth from 'string-width';
import { commandList } from '../../cli/command-list.js';
import { CommandError, describeFailure, EnvironmentError, UsageError } from '../../cli/errors.js';
import { StandardInput } from '../../cli/input.js';
import { pairs, table, visibleJson, visibleLines } from '../../cli/output.js';
import { parseCall } from '../../cli/program.js';
import { runCli } from '../../cli/run-cli.js';
import { SealError } from '../../src/crypto/sealer.js';
import { IamError } from '../../src/errors/iam.error.js';
import { pages, textOf } from '../docs/pages.js';
import { waitUntil } from '../support/example-app.js';
import { command } from './support/run-command.js';

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

  it('tells how to call it in Chinese where the shell is', async () => {
    const overview = await parseCall(['--help'], 'zh');
    const help = await parseCall(['keys', 'rotate', '--help'], 'zh');

    expect(overview).toContain('创建或更新 iam 模式中的表');
    expect(help).toContain('多少秒后开始签名');
    for (const text of [overview, help]) expect(text).not.toMatch(/Usage|Options|show this text/);
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

const postgres = (code: string, message = 'words of PostgreSQL') =>
  Object.assign(new Error(message), { code });

describe('a failure of a command', () => {
  it.each([
    [new UsageError('wrong'), 'usage', 2],
    [new EnvironmentError('wrong'), 'environment', 2],
    [new CommandError('wrong_key', 'wrong'), 'wrong_key', 1],
    [new IamError('in_use', 'wrong'), 'in_use', 1],
    [new SealError('unknown_key', '01234567'), 'wrong_key', 1],
    [postgres('42P01'), 'migrations_pending', 1],
    [postgres('42703'), 'migrations_pending', 1],
    [postgres('28P01'), 'environment', 2],
    [postgres('42501'), 'database_permission_missing', 1],
    // A trigger of ours, such as that of the append-only audit log.
    [Object.assign(postgres('42501'), { routine: 'exec_stmt_raise' }), 'internal_error', 1],
    [postgres('ECONNREFUSED', ''), 'database_unavailable', 1],
    [postgres('57P01'), 'database_unavailable', 1],
    [new Error('something'), 'internal_error', 1],
    ['something', 'internal_error', 1],
  ])('%s is %s, exit code %d', async (error, code, exitCode) => {
    expect(await describeFailure(error, [])).toMatchObject({ code, exitCode });
  });

  it('says who a merged user became', async () => {
    const error = new IamError('not_found', 'user 1 was merged', { members: { merged_into: '2' } });

    expect((await describeFailure(error, [])).message).toBe('user 1 was merged (merged_into: 2)');
  });

  it('loses what must not be seen, whoever has worded the message', async () => {
    const secrets = ['pa55word', 'the-key'];

    const { message } = await describeFailure(new Error('pa55word and the-key and pa55word'), secrets);

    expect(message).toBe('[secret] and [secret] and [secret]');
  });
});

/** What a page gives to a shell. */
function shellOf(page: string): string {
  const blocks = [...textOf(page).matchAll(/^ *```sh\n([^]*?)```$/gm)].map(([, code = '']) => code);
  return blocks.join('\n').replaceAll(/\\\n */g, '');
}

const documents = pages.filter((page) => callsIn(shellOf(page)).length > 0);

/** The calls in a text, as a shell would split them; what is piped in or set before them is left out. */
function callsIn(text: string): string[][] {
  const calls = text.match(/npx nestjs-wechat-iam [a-z][^|>\n#]+/g) ?? [];
  return calls.map((call) => {
    const words = call.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
    return words.slice(2).map((word) => word.replace(/^(['"])(.*)\1$/, '$2'));
  });
}

/** The name of the command that a call runs. */
async function commandOf(words: readonly string[]): Promise<string> {
  const call = await parseCall(words);
  if (typeof call === 'string') throw new Error(`only help: ${words.join(' ')}`);
  return call.command.name;
}

describe('what is said about the commands', () => {
  it.each(commandList)('the example of $name is a call of it', async ({ name, load }) => {
    const command = await load();
    const calls = callsIn(command.example);

    expect(command.name).toBe(name);
    expect(calls.length).toBeGreaterThan(0);
    for (const call of calls) expect(await commandOf(call)).toBe(name);
  });

  it.each(documents)('%s has only calls that work', async (page) => {
    const calls = callsIn(shellOf(page)).filter((words) => !words.includes('--help'));

    const names = commandList.map(({ name }) => name);
    for (const call of calls) expect(names).toContain(await commandOf(call));
  });
});
