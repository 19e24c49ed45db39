import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium, type LaunchOptions } from 'playwright-core';
import { endWithTests } from './end-with-tests.js';

/** Browsers of this machine, before one from npm is unpacked. CHROME_PATH names another. */
const installed = [
  process.env['CHROME_PATH'] ?? '',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

const run = promisify(execFile);

/** In the checkout: a folder of the machine's could hold a program of somebody else's, and be closed to other users. */
const cache = join(import.meta.dirname, '../../node_modules/.cache');

/** A headless Chromium that knows no machine but this one. */
export async function launchBrowser(): Promise<Browser> {
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1',
  ];
  const own = installed.find((path) => existsSync(path));
  if (own !== undefined) return launch({ executablePath: own, args });
  const folder = await unpackChromium();
  const executablePath = join(folder, 'chromium');
  return launch({ executablePath, args, env: await environmentFor(executablePath, folder) });
}

/** Chromium's own crash before it takes an order: no page of ours has been in it. */
const isCrash = (error: unknown): boolean =>
  /process did exit: exitCode=null, signal=SIG(SEGV|BUS|ILL|FPE|TRAP|ABRT)/.test(String(error));

async function launch(options: LaunchOptions): Promise<Browser> {
  const browser = await chromium.launch(options).catch((error: unknown) => {
    if (isCrash(error)) return chromium.launch(options);
    throw error;
  });
  endWithTests(() => browser.close());
  return browser;
}

/** Small container images lack the few libraries that Chromium needs; the npm package has them too. */
async function environmentFor(executable: string, folder: string): Promise<Record<string, string>> {
  const { PATH = '', HOME = folder } = process.env;
  try {
    await run(executable, ['--version']);
    return { PATH, HOME };
  } catch {
    return { PATH, HOME, LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') };
  }
}

/** The npm package takes a half-written file for a whole one: we rename when it is whole. */
async function unpackChromium(): Promise<string> {
  const folder = join(cache, 'chromium-147');
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  const script = "import('@sparticuz/chromium').then((chromium) => chromium.default.executablePath())";
  // The libraries are unpacked only where the package believes to be on Amazon's machines.
  const env = { ...process.env, TMPDIR: draft, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' };
  await run(process.execPath, ['-e', script], { cwd: import.meta.dirname, env });
  await rename(draft, folder).catch(() => rm(draft, { recursive: true }));
  return folder;
}
