import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where this machine has what the browsers besides Chromium need; empty where it has none. */
export const programs = {
  firefox: process.env['FIREFOX_PATH'] ?? findProgram(['firefox-esr', 'firefox']),
  geckodriver: process.env['GECKODRIVER_PATH'] ?? findProgram(['geckodriver']),
  MiniBrowser: process.env['MINIBROWSER_PATH'] ?? findMiniBrowser(),
  WebKitWebDriver: process.env['WEBKIT_WEBDRIVER_PATH'] ?? findProgram(['WebKitWebDriver']),
  Xvfb: findProgram(['Xvfb']),
  localedef: findProgram(['localedef']),
};

const needs = {
  chromium: [],
  firefox: ['firefox', 'geckodriver'],
  webkit: ['MiniBrowser', 'WebKitWebDriver', 'Xvfb', 'localedef'],
} as const;

export type EngineName = keyof typeof needs;

/** @throws TypeError when the tests know no such browser */
export function toEngineName(name: string): EngineName {
  if (name === 'chromium' || name === 'firefox' || name === 'webkit') return name;
  throw new TypeError(`no such browser: ${name} (there are ${Object.keys(needs).join(', ')})`);
}

/** The programs that a browser needs and that are not there. */
export function lacksOf(name: EngineName): string[] {
  return needs[name].filter((need) => !existsSync(programs[need]));
}

function findProgram(names: readonly string[]): string {
  const folders = (process.env['PATH'] ?? '').split(':');
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return paths.find((path) => existsSync(path)) ?? '';
}

/** Debian keeps it beside the library, outside PATH. */
function findMiniBrowser(): string {
  const folders = ['x86_64', 'aarch64'].flatMap((machine) =>
    ['4.1', '6.0', '4.0'].map((version) => `/usr/lib/${machine}-linux-gnu/webkit2gtk-${version}`),
  );
  return folders.map((folder) => join(folder, 'MiniBrowser')).find((path) => existsSync(path)) ?? '';
}
