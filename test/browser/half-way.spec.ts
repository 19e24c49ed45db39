import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChildWithTests } from '../support/end-with-tests.js';
import { processesNaming, waitUntil } from '../support/example-app.js';

const root = join(import.meta.dirname, '../..');

/** The browser tests of another run, whose temporary folder is `folder`. */
function runBrowserTests(folder: string, variables: Readonly<Record<string, string>>) {
  const cache = `--cacheDirectory=${join(root, 'node_modules/.cache/jest')}`;
  const jest = ['--experimental-vm-modules', join(root, 'node_modules/jest/bin/jest.js'), '-i', cache];
  const { PATH, HOME } = process.env;
  const child: ChildProcess = spawn(process.execPath, [...jest, 'test/browser/sign-in.spec.ts'], {
    cwd: root,
    env: { PATH, HOME, TMPDIR: folder, ...variables },
    stdio: 'ignore',
  });
  return { child, ended: endChildWithTests(child) };
}

describe('what a test has started', () => {
  let folder: string;
  let environment: Readonly<Record<string, string>>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'half-way-'));
    environment = { TEST_DATABASE_URL: process.env['IAM_TEST_POSTGRES_URL'] ?? '' };
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const examples = async () => (await processesNaming(join(folder, 'example-app-'))).length;
  const endsWithoutTrace = async () => {
    await waitUntil(async () => (await examples()) === 0);
    await waitUntil(async () => (await readdir(folder)).every((name) => !name.startsWith('example-app-')));
  };

  it('ends where the next step of the set-up fails: no Chromium can be started', async () => {
    const chromium = join(folder, 'chromium');
    const failWhenTold = `#!/bin/sh\nuntil [ -e "$0.fail" ]; do sleep 0.05; done\nexit 1\n`;
    await writeFile(chromium, failWhenTold, { mode: 0o755 });
    const { ended } = runBrowserTests(folder, { ...environment, CHROME_PATH: chromium });
    await waitUntil(async () => (await examples()) > 0);
    await writeFile(`${chromium}.fail`, '');

    expect(await ended).toBe(1);

    await endsWithoutTrace();
  }, 120_000);

  it('ends where the process of the tests is killed', async () => {
    const { child, ended } = runBrowserTests(folder, environment);
    await waitUntil(async () => (await examples()) > 0);

    child.kill('SIGKILL');
    await ended;

    await endsWithoutTrace();
  }, 120_000);
});
