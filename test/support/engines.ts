import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endChildWithTests } from './end-with-tests.js';
import { type EngineName, programs, toEngineName } from './installed-browsers.js';
import { userAgents } from './pc-browser.js';
import { chromiumEngine, type Engine, type ProfileSettings } from './tab.js';
import { type Driver, WebDriverSession } from './webdriver.js';

const run = promisify(execFile);
const cache = join(import.meta.dirname, '../../node_modules/.cache');

/** The browsers that IAM_TEST_BROWSERS names, by default the one that every checkout has. */
export const engines = (process.env['IAM_TEST_BROWSERS'] ?? 'chromium').split(',').map(toEngineName);

/** Gets a browser ready. */
export function startEngine(name: EngineName): Promise<Engine> {
  if (name === 'chromium') return chromiumEngine();
  return webDriverEngine(name === 'firefox' ? firefoxDriver : webKitDriver);
}

/** Every profile is a browser process of its own. */
async function webDriverEngine(driverFor: (settings: ProfileSettings) => Promise<Driver>): Promise<Engine> {
  const sessions: WebDriverSession[] = [];
  const profile = async (settings: ProfileSettings) => {
    const session = await WebDriverSession.start(await driverFor(settings));
    sessions.push(session);
    return session;
  };
  const close = async () => {
    await Promise.all(sessions.map((session) => session.close()));
  };
  return { profile, close };
}

function firefoxDriver({ language, insideWechat = false }: ProfileSettings): Promise<Driver> {
  const prefs = {
    'intl.accept_languages': language,
    ...(insideWechat && { 'general.useragent.override': userAgents.wechat }),
  };
  return Promise.resolve({
    program: programs.geckodriver,
    arguments: (port) => ['--port', String(port), '--log', 'fatal'],
    environment: {},
    capabilities: { 'moz:firefoxOptions': { binary: programs.firefox, args: ['-headless'], prefs } },
  });
}

async function webKitDriver({ language, insideWechat = false }: ProfileSettings): Promise<Driver> {
  const args = ['--automation', ...(insideWechat ? [`--user-agent=${userAgents.wechat}`] : [])];
  return {
    program: programs.WebKitWebDriver,
    arguments: (port) => [`--port=${port}`, '--host=127.0.0.1'],
    environment: { DISPLAY: await display(), ...(await localeFor(language)) },
    capabilities: { 'webkitgtk:browserOptions': { binary: programs.MiniBrowser, args } },
  };
}

let screen: Promise<string> | undefined;

/** An X server without a screen: MiniBrowser has no headless mode. */
function display(): Promise<string> {
  screen ??= new Promise((resolve, reject) => {
    const server = spawn(
      programs.Xvfb,
      ['-displayfd', '1', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    server.stdout.once('data', (number: Buffer) => resolve(`:${number.toString().trim()}`));
    void endChildWithTests(server).then(() => reject(new Error('Xvfb ended')));
  });
  return screen;
}

/** WebKitGTK takes its languages from the locale, which a container seldom has: it is compiled into the cache. */
async function localeFor(language: ProfileSettings['language']): Promise<Record<string, string>> {
  const name = language.replace('-', '_');
  const folder = join(cache, 'locales');
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}.UTF-8`);
  if (!existsSync(path)) await run(programs.localedef, ['-i', name, '-f', 'UTF-8', path]);
  return { LOCPATH: folder, LANG: `${name}.UTF-8` };
}
