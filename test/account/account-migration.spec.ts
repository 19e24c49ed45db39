import type { OfficialAccount, Person } from '../../emulator/index.js';
import {
  AccountMigration,
  type AccountMigrationRequest,
  type Pause,
} from '../../src/identity-providers/account-migration.service.js';
import { Clock } from '../../src/runtime/clock.js';
import { WechatGateway } from '../../src/wechat/wechat-gateway.service.js';
import { IdentityProviders } from '../../src/index.js';
import { OpenidMoves } from '../../src/users/openid-moves.service.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { countWaiting, rowsOf } from '../support/rows.js';
import { inWechat } from '../support/signed-in.js';
import { until } from '../support/until.js';

describe('people whose Official Account moves into another one', () => {
  let world: World;
  let admin: AdminClient;
  let target: OfficialAccount;

  beforeEach(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
    // Of another Open Platform account: no unionid tells that it is the same person.
    target = world.wechat.openPlatformAccount().officialAccount({ oauthDomain: 'localhost' });
  });
  afterEach(() => world.close());

  const follower = async (nickname: string): Promise<{ person: Person; id: string }> => {
    const person = world.wechat.person({ nickname });
    await person.follow(world.oa);
    return { person, id: (await inWechat(world, person)).id };
  };
  const migrateAccount = async (): Promise<void> => {
    world.oa.migrateTo(target);
    world.oa.confirmMigration();
    await world.saveProvider({ mp_app_id: target.appid, mp_app_secret: target.secret });
  };
  /** Beside the application, as a command is. */
  const migration = () => {
    const { app, dataSource } = world;
    const [providers, gateway] = [app.get(IdentityProviders), app.get(WechatGateway)];
    const moves = new OpenidMoves(dataSource);
    return new AccountMigration(dataSource, providers, moves, gateway, app.get(Clock));
  };
  const run = (changes: Partial<AccountMigrationRequest> = {}, pauses: Pause[] = []) =>
    migration().run(
      { provider: 'wechat', fromAppid: world.oa.appid, toAppid: target.appid, ...changes },
      {
        progress: () => undefined,
        pause: (pause) => {
          pauses.push(pause);
          return Promise.resolve(pauses.length < 20);
        },
      },
    );
  const owners = async (openid: string) =>
    (await rowsOf(world.dataSource, 'SELECT user_id FROM iam.identities WHERE openid = $1', [openid])).map(
      ({ user_id }) => user_id,
    );
  const audited = (userId: string) =>
    rowsOf(
      world.dataSource,
      `SELECT action, detail FROM iam.audit_log WHERE user_id = $1 AND action LIKE 'identity.move%' ORDER BY id`,
      [userId],
    );

  it('are the same users there, and the audit log says by which openids', async () => {
    const { person, id } = await follower('兰');
    await migrateAccount();

    await world.saveProvider({ enabled: false });
    const report = await run();
    await world.saveProvider({ enabled: true });

    expect(report).toMatchObject({ total: 1, counts: { joined: 1, unanswered: 0 }, undecided: [] });
    expect(await audited(id)).toEqual([
      {
        action: 'identity.moved',
        detail: {
          fromAppid: world.oa.appid,
          fromOpenid: person.openid(world.oa),
          appid: target.appid,
          openid: person.openid(target),
        },
      },
    ]);
    expect((await inWechat(world, person)).id).toBe(id);
    expect(await owners(person.openid(world.oa))).toEqual([id]);
  });

  it('are asked about once, however often it runs, unless they were no followers and it asks again', async () => {
    const { person, id } = await follower('云');
    const stranger = world.wechat.person({ nickname: '客' });
    await inWechat(world, stranger);
    await migrateAccount();

    await run();
    const again = await run();
    const calls = world.wechat.calls('/cgi-bin/changeopenid').length;
    world.wechat.rules.migratedPeople = 'authorized-too';
    const withNonFollowers = await run({ includeNonFollowers: true });

    expect([calls, world.wechat.calls('/cgi-bin/changeopenid').length]).toEqual([1, 2]);
    expect(again.counts).toMatchObject({ joined: 1, not_follower: 1 });
    expect(withNonFollowers.counts).toMatchObject({ joined: 1, not_follower: 1 });
    expect(await audited(id)).toHaveLength(1);
    expect(await owners(person.openid(target))).toEqual([id]);
  });

  it('are not merged when they came back as a second user first, but named, and joined once they are merged', async () => {
    const { person, id } = await follower('伟');
    await migrateAccount();
    const second = await inWechat(world, person);

    const first = await run();
    await run();

    expect(second.id).not.toBe(id);
    expect(first.counts).toMatchObject({ joined: 0, second_user: 1 });
    expect(first.undecided).toMatchObject([
      { user_id: id, other_user_id: second.id, outcome: 'second_user', union_scopes: ['wechat'] },
    ]);
    expect(await audited(id)).toMatchObject([
      { action: 'identity.move_refused', detail: { reason: 'second_user' } },
    ]);

    const refused = await admin.post(`users/${id}/merge`, { other: second.id });
    const forced = await admin.post(`users/${id}/merge`, { other: second.id, force: true });

    expect([refused.status, refused.json()['union_scopes']]).toEqual([409, 'wechat']);
    expect(forced.status).toBe(200);
    expect(await run()).toMatchObject({ counts: { second_user: 0, already_there: 1 }, undecided: [] });
    expect((await inWechat(world, person)).id).toBe(id);
  });

  it('stay shut out: the ban covers the new openid too, also when the user is gone', async () => {
    const { person, id } = await follower('禁');
    await admin.post(`users/${id}/disable`);
    await migrateAccount();

    expect((await run()).counts).toMatchObject({ joined: 1 });
    await admin.delete(`users/${id}`);

    await expect(inWechat(world, person)).rejects.toThrow();
    expect(await owners(person.openid(target))).toEqual([]);
  });

  it('are not given an openid that the ban of somebody else covers', async () => {
    const { person, id } = await follower('串');
    await migrateAccount();
    const second = await inWechat(world, person);
    await admin.post(`users/${second.id}/disable`);
    await admin.delete(`users/${second.id}`);

    const dry = await run({ dryRun: true });
    const report = await run();

    expect(dry.counts).toMatchObject({ barred: 1, joined: 0 });
    expect(report.counts).toMatchObject({ barred: 1, joined: 0 });
    expect(report.undecided).toMatchObject([{ user_id: id, outcome: 'barred', other_user_id: null }]);
    expect(await audited(id)).toMatchObject([{ detail: { reason: 'barred' } }]);
  });

  it('are told about by a dry run, which changes nothing', async () => {
    const [lan, wei] = [await follower('兰'), await follower('伟')];
    await inWechat(world, world.wechat.person({ nickname: '客' }));
    await migrateAccount();
    await inWechat(world, wei.person);

    const dry = await run({ dryRun: true });

    expect(dry).toMatchObject({
      total: 3,
      counts: { joined: 1, second_user: 1, not_follower: 1, unanswered: 0 },
      undecided: [{ user_id: wei.id }],
    });
    expect(await rowsOf(world.dataSource, 'SELECT 1 FROM iam.openid_moves')).toEqual([]);
    expect(await owners(lan.person.openid(target))).toEqual([]);
    const { counts, undecided } = await run();
    expect({ counts, undecided }).toEqual({ counts: dry.counts, undecided: dry.undecided });
  });

  it('are known by the gh_ name where WeChat does not take the AppID', async () => {
    await follower('名');
    await migrateAccount();
    world.wechat.rules.migrationFrom = 'original-id';

    await expect(run()).rejects.toMatchObject({ code: 'provider_misconfigured', errcode: 63178 });
    expect((await run({ fromOriginalId: world.oa.originalId })).counts).toMatchObject({ joined: 1 });
  });

  it('wait for quotas and for WeChat, and go on', async () => {
    await follower('额');
    await migrateAccount();
    const pauses: Pause[] = [];
    for (const errcode of [45011, -1, -1, 45009, -1, -1])
      world.wechat.once('/cgi-bin/changeopenid', { errcode });

    expect((await run({}, pauses)).counts).toMatchObject({ joined: 1 });

    // One more attempt of each pair that WeChat was busy for is the client's own.
    expect(pauses.map(({ reason, seconds }) => [reason, reason === 'day_quota' || seconds])).toEqual([
      ['minute_quota', 60],
      ['unavailable', 5],
      ['day_quota', true],
      ['unavailable', 5],
    ]);
    expect(pauses[2]?.seconds).toBeLessThanOrEqual(86_460);
  });

  it('are asked for again when WeChat leaves them out or says what nobody knows', async () => {
    await follower('漏');
    await migrateAccount();
    world.wechat.once('/cgi-bin/changeopenid', { patch: { result_list: [] } });

    const first = await run();
    world.wechat.once('/cgi-bin/changeopenid', {
      patch: { result_list: [{ ori_openid: String((await oldOpenids())[0]), err_msg: 'strange' }] },
    });
    const second = await run();

    expect([first.unexplained, second.unexplained]).toEqual([['no answer'], ['strange']]);
    expect(second.counts).toMatchObject({ unanswered: 1 });
    expect((await run()).counts).toMatchObject({ joined: 1 });
  });
  const oldOpenids = async () =>
    (
      await rowsOf(world.dataSource, 'SELECT openid FROM iam.identities WHERE appid = $1', [world.oa.appid])
    ).map(({ openid }) => openid);

  it.each([
    [{ provider: 'none' }, 'provider_not_found'],
    [{ toAppid: 'wx0000000000000009' }, 'provider_misconfigured'],
    [{ fromAppid: 'wx0000000000000009' }, 'not_found'],
  ])('are not looked for by mistake: %j', async (changes, code) => {
    await follower('错');
    await migrateAccount();

    await expect(run(changes)).rejects.toMatchObject({ code });
    expect(world.wechat.calls('/cgi-bin/changeopenid')).toEqual([]);
  });

  it('are one user when they sign in at the same moment, whoever is first', async () => {
    const people = await Promise.all(['一', '二', '三', '四'].map(follower));
    await migrateAccount();

    const [report] = await Promise.all([run(), ...people.map(({ person }) => inWechat(world, person))]);
    const settled = await run();

    expect(report.total).toBe(4);
    const { joined, second_user } = settled.counts;
    expect(joined + second_user).toBe(4);
    for (const { person } of people) expect(await owners(person.openid(target))).toHaveLength(1);
    expect(settled.undecided).toHaveLength(second_user);
  });

  it('go with a user who was merged while the move waited', async () => {
    const [older, younger] = [await follower('甲'), await follower('乙')];
    await migrateAccount();
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT 1 FROM iam.users WHERE id = $1 FOR UPDATE', [younger.id]);
    const running = run();
    await until('the move waits', async () => (await countWaiting(world.dataSource)) !== 0);
    await runner.query('UPDATE iam.unions SET user_id = $2 WHERE user_id = $1', [younger.id, older.id]);
    await runner.query('UPDATE iam.identities SET user_id = $2 WHERE user_id = $1', [younger.id, older.id]);
    await runner.query(`UPDATE iam.users SET status = 'merged', merged_into = $2 WHERE id = $1`, [
      younger.id,
      older.id,
    ]);
    await runner.commitTransaction();
    await runner.release();

    expect((await running).counts).toMatchObject({ joined: 2 });
    expect(await owners(younger.person.openid(target))).toEqual([older.id]);
  });

  it('are moved once by two runs at the same time', async () => {
    const people = await Promise.all(['一', '二', '三'].map(follower));
    await migrateAccount();

    const reports = await Promise.all([run(), run()]);

    expect((await run()).counts).toMatchObject({ joined: 3, answered: 0 });
    expect(reports.map(({ total }) => total)).toEqual([3, 3]);
    for (const { id } of people) expect(await audited(id)).toHaveLength(1);
  });

  it('take what WeChat said along when they are erased', async () => {
    const { id } = await follower('忘');
    await migrateAccount();
    await run();

    expect((await admin.delete(`users/${id}`)).status).toBe(204);

    expect(await rowsOf(world.dataSource, 'SELECT 1 FROM iam.openid_moves')).toEqual([]);
  });
});
