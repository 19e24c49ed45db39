import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { cp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const bootTime = 60_000;

/** A port that nobody listens on, below those that systems give to connections. */
export async function freePort() {
  for (;;) {
    const port = randomInt(30_000, 32_768);
    if (await isFree(port)) return port;
  }
}

function isFree(port) {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/** An application of a user's, in a folder of its own with nothing but what its package.json names. */
export class Host {
  constructor(workspace, name) {
    this.workspace = workspace;
    this.name = name;
    this.folder = join(workspace.folder, name);
  }

  /** Copies the sources and installs the tarball with everything else. */
  async install(appsFolder) {
    await cp(join(appsFolder, this.name), this.folder, { recursive: true });
    const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock'];
    await this.#run('npm', ['install', '--loglevel=error', ...flags]);
    // One copy of what the host and the module must share; npm says so when a peer does not fit.
    await this.#run('npm', ['ls', 'typeorm', '@nestjs/core', '@nestjs/typeorm', 'reflect-metadata']);
  }

  /**
   * Compiles the sources. Declarations are checked too, but only the package's own count: those of other libraries
   * have errors of their own.
   */
  async compile(project = 'tsconfig.json') {
    const tsc = join(this.folder, 'node_modules/typescript/bin/tsc');
    const flags = ['-p', project, '--skipLibCheck', 'false', '--pretty', 'false'];
    const output = await this.#run(process.execPath, [tsc, ...flags], { accept: [0, 1, 2] });
    const errors = output.split('\n').filter((line) => /error TS\d+/.test(line));
    const foreign = /^(\.\.\/)*node_modules\/(?!nestjs-wechat-iam\/)/;
    assert.deepEqual(
      errors.filter((line) => !foreign.test(line)),
      [],
      `${this.name}: tsc -p ${project}`,
    );
  }

  /** The command that the package brings. */
  async runBin(...args) {
    return this.#run('npm', ['exec', '--offline', '--no', '--', 'nestjs-wechat-iam', ...args], {
      timeout: 30_000,
    });
  }

  /** A command of any package that the application has. `databaseUrl` is all that it is told of the surroundings. */
  async runCommand({ databaseUrl }, ...args) {
    // CHECKPOINT_DISABLE: Prisma asks its maker for news otherwise.
    const env = { CHECKPOINT_DISABLE: '1', DATABASE_URL: databaseUrl };
    return this.#run('npm', ['exec', '--offline', '--no', '--', ...args], { env, timeout: bootTime });
  }

  /** The host's own WeChat, made by the emulator from the tarball; by `require` where the host is CommonJS. */
  async startWechat() {
    const path = join(this.folder, 'dist/wechat.js');
    const { type } = createRequire(path)('../package.json');
    const { startWechat } = type === 'module' ? await import(pathToFileURL(path)) : createRequire(path)(path);
    const wechat = await startWechat();
    this.workspace.onClose(() => wechat.emulator.stop());
    return wechat;
  }

  /** Starts the application and waits until it listens. */
  async start(wechat, databaseUrl) {
    const port = await freePort();
    this.url = `http://localhost:${port}`;
    const env = this.#environmentOf(port, wechat, databaseUrl);
    this.#program = this.workspace.start(process.execPath, ['dist/main.js'], { cwd: this.folder, env });
    await this.#untilListening();
  }

  /** Runs another program of the application to its end; what it printed. */
  async runProgram(path, wechat, databaseUrl) {
    const env = this.#environmentOf(await freePort(), wechat, databaseUrl);
    return this.#run(process.execPath, [path], { env, timeout: bootTime });
  }

  #environment;
  #program;

  #environmentOf(port, { emulator, site, account }, databaseUrl) {
    this.#environment ??= { ADMIN_TOKEN: secret(), IAM_KEY: secret(), JWT_SECRET: secret() };
    return {
      ...this.#environment,
      PORT: String(port),
      PUBLIC_URL: `http://localhost:${port}`,
      DATABASE_URL: databaseUrl,
      WECHAT_URL: emulator.endpoints.api,
      OPEN_APP_ID: site.appid,
      OPEN_APP_SECRET: site.secret,
      MP_APP_ID: account.appid,
      MP_APP_SECRET: account.secret,
    };
  }

  /** Opens the admin API. */
  get adminToken() {
    return this.#environment.ADMIN_TOKEN;
  }

  /** What the application printed. */
  get log() {
    return this.#program?.output ?? '';
  }

  /** Asks it to stop; it must end by itself, so nothing of the module may keep it alive, and must not have complained. */
  async stop() {
    this.#program.signal('SIGTERM');
    const code = await this.#program.end(10_000);
    assert.ok(code === 'SIGTERM' || code === 0, `${this.name} did not stop when asked to (${code})`);
    assert.doesNotMatch(this.log, /Warning: |\bERROR\b/);
  }

  async #untilListening() {
    const end = Date.now() + bootTime;
    while (!/^listening$/m.test(this.log)) {
      const code = await this.#program.end(50);
      assert.equal(code, undefined, `${this.name} ended with ${code} instead of starting`);
      assert.ok(Date.now() < end, `${this.name} did not start in time`);
    }
  }

  #run(command, args, options = {}) {
    return this.workspace.run(command, args, { cwd: this.folder, ...options });
  }
}

const secret = () => randomBytes(32).toString('base64');
