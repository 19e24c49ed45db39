import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { briefly, endChildWithTests } from '../support/end-with-tests.js';
import { root, type Example } from './pages.js';

const PATIENCE_MS = 60_000;

/** A program of the README at work. */
export interface RunningExample {
  stop(): Promise<void>;
}

/** What `nest new` makes, with the module of an example for the application's. */
const main = (name: string, module: string) => `
  import { NestFactory } from '@nestjs/core';
  import { ${module} } from './${name}.js';
  const app = await NestFactory.create(${module});
  await app.listen(process.env.PORT ?? 3000);
`;

/** Starts an application of the module that the code exports, compiled by SWC and otherwise as it is; waits until `url` answers. */
export async function runExample(
  { name, code }: Example,
  env: Readonly<Record<string, string>>,
  url: string,
): Promise<RunningExample> {
  const folder = `${root}test/output/readme-${process.pid}`;
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/${name}.ts`, code);
  const [, module = ''] = /^export class (\w+Module) /m.exec(code) ?? [];
  await writeFile(`${folder}/main.ts`, main(name, module));
  const child = spawn(
    process.execPath,
    [...briefly, '--import', `${root}test/docs/register-self.mjs`, `${folder}/main.ts`],
    { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  void endChildWithTests(child, folder);
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answering(url, child);
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (words += text));
  const giveUpAt = Date.now() + PATIENCE_MS;
  while (Date.now() < giveUpAt) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the example ended: ${words}`);
    const answer = await fetch(url).catch(() => null);
    if (answer !== null) return;
    await delay(100);
  }
  throw new Error(`the example did not serve ${url}: ${words}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
