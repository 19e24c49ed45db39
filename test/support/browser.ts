import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

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

/** A headless Chromium that knows no machine but this one. */
export async function launchBrowser(): Promise<Browser> {
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1',
  ];
  const own = installed.find((path) => existsSync(path));
  if (own !== undefined) return chromium.launch({ executablePath: own, args });
  const folder = await unpackChromium();
  const executablePath = join(folder, 'chromium');
  return chromium.launch({ executablePath, args, env: await environmentFor(executablePath, folder) });
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

/** The npm package unpacks into the temporary folder and takes a half-written file for a whole one: we rename when it is whole. */
async function unpackChromium(): Promise<string> {
  const folder = join(tmpdir(), 'chromium-147-of-browser-tests');
  if (existsSync(folder)) return folder;
  const draft = await mkdtemp(`${folder}-`);
  const script = "import('@sparticuz/chromium').then((chromium) => chromium.default.executablePath())";
  // The libraries are unpacked only where the package believes to be on Amazon's machines.
  const env = { ...process.env, TMPDIR: draft, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' };
  await run(process.execPath, ['-e', script], { cwd: import.meta.dirname, env });
  await rename(draft, folder).catch(() => rm(draft, { recursive: true }));
  return folder;
}
