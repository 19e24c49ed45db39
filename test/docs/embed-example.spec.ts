import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { rowsOf } from '../support/rows.js';
import { runExample, type RunningExample } from './example-process.js';
import { exampleOf, examplesOf } from './readme.js';
import { complaintsAbout } from './type-check.js';

const typeScript = examplesOf('README.md').filter(({ language }) => language === 'ts');

describe('under the settings of this repository', () => {
  const wrong = {
    name: 'wrong',
    language: 'ts',
    code: `import { IamModule } from 'nestjs-wechat-iam';\nIamModule.forRoot({});`,
  };
  let complaints: ReadonlyMap<string, readonly string[]>;

  beforeAll(() => {
    complaints = complaintsAbout([...typeScript, wrong]);
  }, 120_000);

  it.each(typeScript)('the example “$name” compiles', ({ name }) => {
    expect(complaints.get(name)).toEqual([]);
  });

  it('wrong code does not compile', () => {
    expect(complaints.get('wrong')).toEqual([expect.stringContaining('publicUrl')]);
  });
});

describe('the embedding example, run as it is', () => {
  let database: TestDatabase;
  let url: string;
  let running: RunningExample | undefined;

  beforeAll(async () => {
    database = await createDatabase();
    const port = String(await freePort());
    url = `http://localhost:${port}`;
    const env = { DATABASE_URL: database.url, IAM_KEY: randomBytes(32).toString('base64'), PORT: port };
    running = await runExample(exampleOf('README.md', 'embed'), env, url);
  }, 90_000);

  afterAll(async () => {
    await running?.stop();
    await database.drop();
  });

  const providers = async (): Promise<unknown> => (await fetch(`${url}/iam/providers`)).json();

  it('has migrated the database and serves the endpoints', async () => {
    const answer = await fetch(`${url}/iam/providers`);

    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ providers: [] });
  });

  it('guards its route', async () => {
    expect((await fetch(`${url}/orders`)).status).toBe(401);
  });

  it('has the provider row of the SQL example within 5 seconds, its secrets sealed', async () => {
    await providers();
    const dataSource = await new DataSource({ type: 'postgres', url: database.url }).initialize();
    await dataSource.query(exampleOf('README.md', 'first-row').code);

    const listed = await eventually(providers, (answer) =>
      JSON.stringify(answer).includes('"slug":"wechat"'),
    );

    expect(listed).toMatchObject({ providers: [{ slug: 'wechat', name: '微信', methods: ['open'] }] });
    const [stored] = await rowsOf(
      dataSource,
      'SELECT open_app_secret, mp_app_secret FROM iam.identity_providers',
    );
    expect(stored?.['open_app_secret']).toMatch(/^sealed:/);
    expect(stored?.['mp_app_secret']).toMatch(/^sealed:/);
    await dataSource.destroy();
  });
});

async function eventually<T>(look: () => Promise<T>, isDone: (value: T) => boolean): Promise<T> {
  const giveUpAt = Date.now() + 5_000;
  for (;;) {
    const value = await look();
    if (isDone(value) || Date.now() > giveUpAt) return value;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
