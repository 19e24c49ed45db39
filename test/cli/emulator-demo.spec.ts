import { once } from 'node:events';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { startIamApp, type IamApp } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { until } from '../support/until.js';
import { command, spawnCommand } from './support/run-command.js';

describe('emulator --demo', () => {
  let database: TestDatabase;
  let host: IamApp;
  let wechat: string;
  let lines: string[];

  beforeAll(async () => {
    database = await createDatabase();
    const port = String(await freePort());
    wechat = `http://127.0.0.1:${port}`;
    const endpoints = { api: wechat, open: wechat, mp: wechat };
    host = await startIamApp({ databaseUrl: database.url, endpoints });
    const child = spawnCommand(['emulator', '--demo', '--port', port, '--app', host.url]);
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    await until('it prints its steps', () => printed.includes('/phone\n'));
    lines = printed.split('\n').map((line) => line.trim());
  });
  afterAll(async () => {
    await host.close();
    await database.drop();
  });

  const lineWith = (text: string) => lines.find((line) => line.includes(text)) ?? `(no line with ${text})`;
  const ask = (path: string, body: unknown) => new PcBrowser().visit(`${wechat}/_emulator${path}`, { body });

  it('begins with the line of an empty emulator, and names its people and their phone', () => {
    expect(lines[0]).toBe(`emulator ${wechat}`);
    expect(lines[1]).toContain('小兰');
    expect(lines).toContain(`${wechat}/phone`);
    expect(lineWith('endpoints')).toBe(
      `wechat: { endpoints: { api: '${wechat}', open: '${wechat}', mp: '${wechat}' } }`,
    );
  });

  it('is a world in which its own steps, done as they are printed, sign somebody in', async () => {
    await host.dataSource.query(lineWith('INSERT INTO'));
    const signIn = lineWith('/iam/authorize');
    await until('the row is known', async () => (await new PcBrowser().visit(signIn)).status === 302);

    await ask('/people/lan/open', { url: signIn });
    const page = await ask('/people/lan/confirm', {});

    expect(page.text).toContain(`${host.url}/signed-in?code=`);
  });

  it.each([
    [['--app', 'http://localhost:1'], '--demo'],
    [['--demo', '--app', 'localhost:1'], 'expected the address'],
    [['--demo', '--app', 'http://localhost:1/path'], 'expected the address'],
  ])('refuses %j', async (more, reason) => {
    const { exitCode, stderr } = await command(['emulator', '--port', '0', ...more]);

    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(reason)]);
  });

  it('is not what programs get: without the switch the world is empty', async () => {
    const child = spawnCommand(['emulator', '--port', '0']);
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const url = line.trim().replace('emulator ', '');

    const world = (await new PcBrowser().visit(`${url}/_emulator/`)).json();

    expect(world).toMatchObject({ people: [], apps: [] });
  });
});
