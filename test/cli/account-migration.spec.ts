import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { type OfficialAccount, type Person, WechatEmulator } from '../../emulator/index.js';
import { until } from '../support/until.js';
import { recordOf, startOperator, type Operator } from './support/operator.js';
import { commandProcess, spawnCommand } from './support/run-command.js';

const path = '/cgi-bin/changeopenid';

describe('nestjs-wechat-iam provider migrate', () => {
  let wechat: WechatEmulator;
  let operator: Operator;
  let [old, target]: OfficialAccount[] = [];

  beforeEach(async () => {
    wechat = await WechatEmulator.start();
    old = wechat.officialAccount({ oauthDomain: 'localhost' });
    target = wechat.officialAccount({ oauthDomain: 'localhost' });
    operator = await startOperator({ variables: { WECHAT_API_URL: wechat.endpoints.api } });
    await operator.json(
      ['provider', 'add', 'wechat', '--mp-app-id', target.appid, '--mp-app-secret-from', '-'],
      { input: target.secret },
    );
  });
  afterEach(async () => {
    await wechat.stop();
    await operator.close();
  });

  const appidOf = (app: OfficialAccount | undefined) => app?.appid ?? '';
  const migrate = (...more: string[]) => [
    ...['provider', 'migrate', 'wechat', '--from-app-id', appidOf(old), '--to-app-id', appidOf(target)],
    ...more,
  ];
  /** Followers of the old account who have signed in there. */
  const followers = async (count: number): Promise<Person[]> => {
    if (old === undefined || target === undefined) throw new Error('no accounts');
    const people = Array.from({ length: count }, (_, index) => wechat.person({ nickname: `人${index}` }));
    for (const person of people) {
      await person.follow(old);
      await signedInBefore(person, old);
    }
    old.migrateTo(target);
    old.confirmMigration();
    return people;
  };
  const signedInBefore = async (person: Person, app: OfficialAccount): Promise<string> => {
    const id = uuidv7();
    await operator.query('INSERT INTO iam.users (id) VALUES ($1)', [id]);
    await operator.query(
      `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope)
       VALUES ($1, $2, 'wechat', 'mp', $3, $4, 'wechat')`,
      [uuidv7(), id, app.appid, person.openid(app)],
    );
    return id;
  };

  it('goes on where a process was killed in the middle, asks nobody twice, and moves each person once', async () => {
    await followers(250);
    const other = await new DataSource({ type: 'postgres', url: operator.database.url }).initialize();
    const runner = other.createQueryRunner();
    await runner.startTransaction();
    await runner.query(
      `SELECT 1 FROM iam.users WHERE id = (SELECT user_id FROM iam.identities ORDER BY openid OFFSET 150 LIMIT 1) FOR UPDATE`,
    );
    const child = await spawnCommand(migrate(), { variables: operator.variables });
    const said = text(child.stderr);
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'nestjs-wechat-iam'
      AND datname = current_database() AND wait_event_type = 'Lock'`;
    await until('the command is in the middle', async () => (await operator.query(waiting)).length > 0);

    child.kill('SIGKILL');
    await once(child, 'close');
    await runner.commitTransaction();
    await other.destroy();
    const outcomes = `SELECT outcome, count(*)::int AS count FROM iam.openid_moves GROUP BY 1 ORDER BY 1`;
    const stopped = await operator.query(outcomes);
    const resumed = await commandProcess(migrate('--json'), { variables: operator.variables });

    expect(await said).toContain('[########------------] 40%  100 / 250');
    expect(stopped).toEqual([
      { outcome: 'answered', count: 50 },
      { outcome: 'joined', count: 150 },
    ]);
    expect([resumed.exitCode, resumed.stderr]).toEqual([0, '[####################] 100%  250 / 250\n']);
    expect(resumed.json()).toEqual({
      dry_run: false,
      total: 250,
      joined: 250,
      already_there: 0,
      second_user: 0,
      barred: 0,
      not_follower: 0,
      unfinished: 0,
      undecided: [],
      wechat_said: [],
    });
    const asked = wechat.calls(path).flatMap(({ body }) => openidsIn(body));
    expect([asked.length, new Set(asked).size]).toEqual([250, 250]);
    expect(
      await operator.query(
        `SELECT actor, count(*)::int AS entries, count(DISTINCT user_id)::int AS users
         FROM iam.audit_log WHERE action = 'identity.moved' GROUP BY 1`,
      ),
    ).toEqual([{ actor: 'cli', entries: 250, users: 250 }]);
  });

  it('says by outcome what became of people, in both languages, and whom somebody has to merge', async () => {
    const [, wei] = await followers(2);
    if (wei === undefined || target === undefined) throw new Error('nobody');
    const second = await signedInBefore(wei, target);

    const dry = await operator.run(migrate('--dry-run'));
    const english = await operator.run(migrate());
    const chinese = await operator.run(migrate('--lang', 'zh-CN'));

    expect([dry.exitCode, english.exitCode, chinese.exitCode]).toEqual([1, 1, 1]);
    expect(dry.stdout).toContain('Nothing was changed');
    for (const { stdout } of [dry, english]) {
      expect(stdout).toMatch(/^joined +1 +have the new openid/m);
      expect(stdout).toMatch(/^second_user +1 +have signed in anew/m);
      expect(stdout).toMatch(new RegExp(`^second_user  [0-9a-f-]{36}  ${second}  yes$`, 'm'));
      expect(stdout).toContain('onMerge');
    }
    expect(chinese.stdout).toMatch(/^second_user +1 +已重新登录/m);
    expect(chinese.stdout).toContain(`${second}  可以`);
  });

  it('says why a merge needs force, and that a disabled user is not merged', async () => {
    const [lan, wei] = await followers(2);
    if (lan === undefined || wei === undefined || old === undefined || target === undefined)
      throw new Error('nobody');
    const [second, shut] = [await signedInBefore(lan, target), await signedInBefore(wei, target)];
    await operator.query(
      `INSERT INTO iam.unions (union_scope, unionid, user_id) SELECT 'wechat', 'u-' || user_id, user_id FROM iam.identities
       WHERE openid IN ($1, $2)`,
      [lan.openid(old), lan.openid(target)],
    );
    await operator.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [shut]);

    const { stdout } = await operator.run(migrate());

    expect(stdout).toMatch(new RegExp(`${second}  with force: two unionids in wechat`));
    expect(stdout).toMatch(new RegExp(`${shut}  not while one is disabled`));
  });

  it('follows the guide for a row with a Token: a disabled row hears what people withdraw at the old account', async () => {
    await followers(1);
    const variables = {
      OLD_SECRET: old?.secret ?? '',
      NEW_SECRET: target?.secret ?? '',
      TOKEN: 'tokenOfTheTests',
      AES_KEY: 'a'.repeat(43),
    };
    const before = ['--mp-app-id', appidOf(old), '--mp-app-secret-from', 'env:OLD_SECRET'];
    const keys = ['--mp-token-from', 'env:TOKEN', '--mp-encoding-aes-key-from', 'env:AES_KEY'];
    const after = ['--mp-app-id', appidOf(target), '--mp-app-secret-from', 'env:NEW_SECRET'];
    await operator.json(['provider', 'set', 'wechat', ...before, ...keys], { variables });

    const early = await operator.run(['provider', 'set', 'wechat', ...after, '--json'], { variables });
    await operator.json(['provider', 'add', 'wechat-before', '--enabled', 'false', ...before, ...keys], {
      variables,
    });
    await operator.json(['provider', 'set', 'wechat', ...after], { variables });

    expect([early.exitCode, early.json()]).toMatchObject([1, { error: { code: 'in_use' } }]);
    expect(await operator.json(migrate())).toMatchObject({ joined: 1 });
  });

  it('ends instead of waiting when told so, and keeps what is done', async () => {
    await followers(101);
    wechat.once(path, {});
    wechat.once(path, { errcode: 45009 });

    const stopped = await operator.run(migrate('--no-wait', '--json'));
    const resumed = await operator.json(migrate());

    expect([stopped.exitCode, stopped.json()]).toMatchObject([
      1,
      { error: { code: 'wechat_quota_exceeded' } },
    ]);
    expect(stopped.stderr).toContain('What is done stays done');
    expect(resumed).toMatchObject({ joined: 101 });
    expect(wechat.calls(path)).toHaveLength(3);
  });

  it('is named with what is missing when it is called or set up wrongly', async () => {
    await followers(1);
    const codeOf = async (...args: string[]) => {
      const { exitCode, stdout } = await operator.run([...args, '--json']);
      return [exitCode, recordOf(recordOf(JSON.parse(stdout))['error'])['code']];
    };
    const base = ['provider', 'migrate', 'wechat'];

    expect(await codeOf(...base, '--to-app-id', appidOf(target))).toEqual([2, 'usage']);
    expect(await codeOf(...base, '--from-app-id', 'gh_1', '--to-app-id', 'wx1')).toEqual([2, 'usage']);
    expect(await codeOf(...migrate('--from-original-id', 'wx1'))).toEqual([2, 'usage']);
    expect(await codeOf(...migrate('--lang', 'fr'))).toEqual([2, 'usage']);
    const turned = ['--from-app-id', appidOf(target), '--to-app-id', appidOf(old)];
    expect(await codeOf(...base, ...turned)).toEqual([1, 'provider_misconfigured']);
    const unknown = ['--from-app-id', 'wx0000000000000009', '--to-app-id', appidOf(target)];
    expect(await codeOf(...base, ...unknown)).toEqual([1, 'not_found']);
    expect(wechat.calls(path)).toEqual([]);
  });

  it('has its help in the language of the shell', async () => {
    const help = async (LANG: string) =>
      (await operator.run(['provider', 'migrate', '--help'], { variables: { LANG } })).stdout;

    expect(await help('en_US.UTF-8')).toMatch(/^Usage: [^]*Options:\n[^]*--ask-again +ask again about/);
    expect(await help('zh_CN.UTF-8')).toMatch(
      /^用法: [^]*选项:\n[^]*--ask-again +重新查询[^]*--json +输出一个 JSON/,
    );
  });
});

function openidsIn(body: string): unknown[] {
  const { openid_list } = recordOf(JSON.parse(body));
  return Array.isArray(openid_list) ? openid_list : [];
}
