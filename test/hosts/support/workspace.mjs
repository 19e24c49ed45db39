import { spawn } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { register } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

register('../../support/typescript-hooks.mjs', import.meta.url);
const { startWatchdog } = await import('../../../example/postgres/watchdog.ts');

const longestOutput = 64 * 1024;
const patience = 10_000;

/** What `npm run` puts into the environment about this repository must not reach the npm of another project. */
function cleanEnvironment() {
  const foreign = /^npm_(package|lifecycle|command|config_local_prefix|execpath|node_execpath)|^INIT_CWD$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** A program that we started, with everything it said. */
class Program {
  /** Everything, for people. */
  output = '';
  /** Standard output alone, for programs. */
  stdout = '';
  #child;

  constructor(command, args, { cwd, env = {} }) {
    this.name = [command, ...args].join(' ');
    // A process group of its own, so that the children of npm end with it.
    this.#child = spawn(command, args, {
      cwd,
      env: { ...cleanEnvironment(), ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const name of ['stdout', 'stderr'])
      this.#child[name].setEncoding('utf8').on('data', (text) => {
        this.output = (this.output + text).slice(-longestOutput);
        if (name === 'stdout') this.stdout += text;
      });
    // Its group ends with us too where we are killed.
    const watchdog = startWatchdog(-(this.#child.pid ?? 0), '');
    this.ended = new Promise((done) => {
      this.#child.on('error', (error) => done(error.message));
      this.#child.on('close', (code, signal) => done(code ?? signal));
    });
    void this.ended.then(() => watchdog.dismiss());
  }

  /** Resolves with the exit code (or signal), or with `undefined` when the time is over. */
  async end(milliseconds) {
    let timer;
    const timeout = new Promise((done) => (timer = setTimeout(done, milliseconds)));
    const code = await Promise.race([this.ended, timeout]);
    clearTimeout(timer);
    return code;
  }

  signal(name, pid = this.#child.pid) {
    if (this.#child.exitCode === null && this.#child.signalCode === null && pid !== undefined)
      process.kill(pid, name);
  }

  /** Ends it and all of its children. */
  async stop() {
    const group = this.#child.pid === undefined ? undefined : -this.#child.pid;
    for (const name of ['SIGTERM', 'SIGKILL']) {
      this.signal(name, group);
      if ((await this.end(patience)) !== undefined) return;
    }
  }
}

/** A temporary folder and the programs that run in it; `close` leaves nothing of either. */
export class Workspace {
  #programs = new Set();
  #releases = [];
  #closed = false;
  #watchdog;

  constructor(folder) {
    this.folder = folder;
    this.#watchdog = startWatchdog(0, folder);
  }

  static async open() {
    return new Workspace(await realpath(await mkdtemp(join(tmpdir(), 'nestjs-wechat-iam-hosts-'))));
  }

  start(command, args, options) {
    if (this.#closed) throw new Error('interrupted');
    const program = new Program(command, args, options);
    this.#programs.add(program);
    void program.ended.then(() => this.#programs.delete(program));
    return program;
  }

  /** Runs to the end and returns the standard output; a failure says everything that was said. */
  async run(command, args, { timeout = 300_000, accept = [0], ...options }) {
    const program = this.start(command, args, options);
    const code = await program.end(timeout);
    if (code === undefined) await program.stop();
    if (!accept.includes(code))
      throw new Error(`${program.name} ended with ${code ?? 'no answer'}\n${program.output}`);
    return program.stdout;
  }

  /** Has something released at the end, last come first. */
  onClose(release) {
    this.#releases.unshift(release);
  }

  /** May be called again for what was still on its way the first time. */
  async close() {
    this.#closed = true;
    await Promise.all([...this.#programs].map((program) => program.stop()));
    for (const release of this.#releases.splice(0)) {
      try {
        await release();
      } catch (error) {
        console.error(error);
      }
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    this.#watchdog.dismiss();
  }
}
