import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
/** What a browser downloads of `nestjs-wechat-iam/client`, gzipped. */
const MOST_BYTES = 5_000;
/** The browsers of 2019 and later, WeChat's among them, and its mini programs. */
const targets = { client: 'es2020', 'mini-program': 'es2018' };

/** One file with nothing of the server in it. It is minified: pages without a build step serve it as it is. */
async function bundle(folder, format) {
  const build = await rolldown({
    input: join(root, folder, 'index.ts'),
    platform: 'browser',
    tsconfig: join(root, 'client/tsconfig.json'),
    transform: { target: targets[folder] },
    onLog(_, log) {
      throw new Error(log.message);
    },
  });
  const { output } = await build.generate({ format, minify: true, comments: false });
  if (output.length !== 1) throw new Error(`${folder}: more than one file`);
  return output[0].code;
}

/** Runs TypeScript's compiler; where it complains, this process ends. */
export async function runCompiler(...words) {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const [status] = await once(
    spawn(process.execPath, [tsc, ...words], { cwd: root, stdio: 'inherit' }),
    'exit',
  );
  if (status !== 0) process.exit(1);
}

/** The declarations that an entry reaches, itself included. */
async function reach(path, reached = new Set()) {
  if (reached.has(path)) return reached;
  reached.add(path);
  for (const [, target] of (await readFile(path, 'utf8')).matchAll(/\bfrom '(\.{1,2}\/[^']+)\.js'/g))
    await reach(`${join(dirname(path), target)}.d.ts`, reached);
  return reached;
}

async function writeText(path, text) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** Tools of mini programs `require` it, or copy its one file; the declarations of CommonJS must lie in a folder of that kind. */
async function writeMiniProgram(declarations) {
  await writeText(join(dist, 'mini-program/index.js'), await bundle('mini-program', 'es'));
  await writeText(join(dist, 'commonjs/mini-program/index.js'), await bundle('mini-program', 'cjs'));
  await writeText(join(dist, 'commonjs/package.json'), '{ "type": "commonjs" }\n');
  for (const path of declarations) await cp(path, join(dist, 'commonjs', relative(dist, path)));
}

/** `dist/client` for browsers, `dist/mini-program` and `dist/commonjs` for mini programs. */
export async function buildClients() {
  await runCompiler('-p', join('client', 'tsconfig.build.json'));
  const code = await bundle('client', 'es');
  const bytes = gzipSync(code).length;
  if (bytes > MOST_BYTES) throw new Error(`client: ${bytes} bytes gzipped, at most ${MOST_BYTES}`);
  await writeText(join(dist, 'client/index.js'), code);
  const mini = await reach(join(dist, 'mini-program/index.d.ts'));
  await writeMiniProgram(mini);
  const kept = await reach(join(dist, 'client/index.d.ts'), new Set(mini));
  for (const folder of Object.keys(targets))
    for (const name of await readdir(join(dist, folder)))
      if (name.endsWith('.d.ts') && !kept.has(join(dist, folder, name))) await rm(join(dist, folder, name));
  return bytes;
}

if (process.argv[1] === import.meta.filename) console.log(`client: ${await buildClients()} bytes gzipped`);
