import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { visit } from '../support/browser.mjs';
import { freePort } from '../support/host.mjs';
import { examples, exampleOf } from '../support/examples.mjs';

/** What `nest new` of @nestjs/cli 11 and 12 makes, to the letter (without its README), and where it keeps Jest's settings. */
export const templates = {
  'cli-nest-11': { install: 'install-nest-11', extension: '', jest: ['package.json', 'test/jest-e2e.json'] },
  'cli-nest-12': { install: 'install-nest-12', extension: '.js', jest: [] },
};

/** Does to a fresh application what README.md says, and nothing else; then its own tests pass, and it runs. */
export async function checkTemplate({ workspace, name, appsFolder, databaseUrl }) {
  const { install, extension, jest } = templates[name];
  const folder = join(workspace.folder, name);
  const variables = { DATABASE_URL: databaseUrl, IAM_KEY: randomBytes(32).toString('base64') };
  const run = (line) => workspace.run('sh', ['-c', line], { cwd: folder, env: variables });
  await cp(join(appsFolder, name), folder, { recursive: true });
  const flags = '--prefer-offline --no-audit --no-fund --loglevel=error';
  await run(`${exampleOf(install).trim().replace('nestjs-wechat-iam', '../package.tgz')} ${flags}`);
  await embed(folder, extension);
  for (const path of jest) await addToJest(join(folder, path));
  await addGuardedTest(folder);
  for (const script of ['build', 'test', 'test:e2e']) await run(`npm run ${script}`);
  await addExamples(folder);
  await run('npx tsc --noEmit -p tsconfig.json');
  await checkRunning(workspace, folder, variables);
}

async function change(path, edit) {
  const before = await readFile(path, 'utf8');
  const after = edit(before);
  assert.notEqual(after, before, `${path} is not as expected`);
  await writeFile(path, after);
}

async function embed(folder, extension) {
  await writeFile(join(folder, 'src/wechat.module.ts'), exampleOf('embed'));
  const line = `import { WechatModule } from './wechat.module${extension}';\n`;
  await change(
    join(folder, 'src/app.module.ts'),
    (code) => line + code.replace('imports: []', 'imports: [WechatModule]'),
  );
}

async function addToJest(path) {
  const settings = JSON.parse(exampleOf('ts-jest'));
  await change(path, (text) => {
    const file = JSON.parse(text);
    Object.assign(file.jest ?? file, settings);
    return JSON.stringify(file, null, 2);
  });
}

/** The template's own end-to-end test, of the guarded route. */
async function addGuardedTest(folder) {
  const [own, guarded] = ['app', 'orders'].map((name) => join(folder, `test/${name}.e2e-spec.ts`));
  await cp(own, guarded);
  const asksGuarded = (code) =>
    code
      .replaceAll("'/'", "'/orders'")
      .replace('.expect(200)', '.expect(401)')
      .replace(/\n\s+\.expect\('Hello World!'\)/, '');
  await change(guarded, asksGuarded);
}

/** Every other example in TypeScript that needs no other package: the compiler takes it under the template's settings. */
async function addExamples(folder) {
  const { dependencies, devDependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const installed = Object.keys({ ...dependencies, ...devDependencies });
  const isInstalled = (module) =>
    module.startsWith('node:') || installed.some((name) => module === name || module.startsWith(`${name}/`));
  const chosen = examples.filter(
    ({ language, code }) =>
      language === 'ts' && [...code.matchAll(/ from '([^']+)'/g)].every(([, module]) => isInstalled(module)),
  );
  assert.ok(
    chosen.length >= 6,
    `README.md and the guides have ${chosen.length} examples for such an application`,
  );
  await mkdir(join(folder, 'src/examples'));
  for (const { name, code } of chosen) await writeFile(join(folder, `src/examples/${name}.ts`), code);
}

async function checkRunning(workspace, folder, variables) {
  const port = await freePort();
  const env = { ...variables, PORT: String(port) };
  const program = workspace.start(process.execPath, ['dist/main'], { cwd: folder, env });
  const ask = (path) => visit(`http://localhost:${port}${path}`);
  const end = Date.now() + 60_000;
  while (!/successfully started/.test(program.output)) {
    assert.equal(await program.end(50), undefined, program.output);
    assert.ok(Date.now() < end, program.output);
  }
  // Nest says so before it listens.
  for (;;) {
    if (await ask('/').catch(() => null)) break;
    assert.equal(await program.end(50), undefined, program.output);
    assert.ok(Date.now() < end, program.output);
  }
  const [own, guarded, providers] = [await ask('/'), await ask('/orders'), await ask('/iam/providers')];
  assert.deepEqual([own.status, guarded.status, providers.status], [200, 401, 200]);
  assert.deepEqual(providers.body.providers, []);
  program.signal('SIGTERM');
  assert.equal(await program.end(10_000), 'SIGTERM');
}
