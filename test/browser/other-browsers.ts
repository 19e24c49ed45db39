import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { lacksOf, toEngineName } from '../support/installed-browsers.js';

/**
 * `npm run test:browsers [-- firefox webkit]`: the stories of people at a browser, in the browsers that this machine has beside
 * the one of `npm test`. Says which it skips, and why; without any it does nothing.
 */
const asked = process.argv.slice(2).map(toEngineName);
const chosen = asked.length > 0 ? asked : (['firefox', 'webkit'] as const);
const lacking = chosen.map((name) => ({ name, lacks: lacksOf(name) }));
for (const { name, lacks } of lacking)
  if (lacks.length > 0) console.log(`skipped: ${name}, for want of ${lacks.join(', ')}`);
const installed = lacking.filter(({ lacks }) => lacks.length === 0).map(({ name }) => name);
if (installed.length > 0) process.exitCode = await runStories(installed.join());

function runStories(browsers: string): Promise<number> {
  const jest = join(import.meta.dirname, '../../node_modules/jest/bin/jest.js');
  const stories = ['second-requests', 'ways-on'].map((name) => `test/browser/${name}.spec.ts`);
  const child = spawn(process.execPath, ['--experimental-vm-modules', jest, '--verbose', ...stories], {
    env: { ...process.env, IAM_TEST_BROWSERS: browsers },
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}
