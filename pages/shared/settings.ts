import type { Settings } from '../server/page-data';

/** Written by our own server, of the same version as this script. */
function read(): Settings {
  const content = document.querySelector('meta[name="iam-settings"]')?.getAttribute('content');
  // eslint-disable-next-line @typescript-eslint/no-unsafe-return
  return JSON.parse(content ?? '{}');
}

export const settings: Settings = read();
