import { commandList } from '../../cli/command-list.js';
import { WechatEmulator } from '../../emulator/index.js';
import { startOperator, type Operator } from './support/operator.js';

const user = '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f';

/** A call of each command that opens the database; {old} and {new} are Official Accounts. */
const calls = [
  'migrate',
  'provider list',
  'provider add second',
  'provider set second --name Second',
  'provider check wechat',
  'provider rotate wechat mp_token',
  'provider migrate wechat --from-app-id {old} --to-app-id {new} --dry-run',
  `user find ${user}`,
  `user roles ${user} --add reader`,
  'role list',
  'role add writer',
  'role set writer --description writes',
  'keys list',
  'keys rotate',
  'keys reseal',
];

describe('background work', () => {
  let wechat: WechatEmulator;
  let operator: Operator;
  let accounts: { old: string; new: string };

  beforeAll(async () => {
    wechat = await WechatEmulator.start();
    const old = wechat.officialAccount({ oauthDomain: 'localhost' });
    const account = wechat.officialAccount({ oauthDomain: 'localhost' });
    const person = wechat.person({ nickname: '小兰' });
    await person.follow(old);
    old.migrateTo(account);
    old.confirmMigration();
    accounts = { old: old.appid, new: account.appid };
    const { open, api, mp } = wechat.endpoints;
    operator = await startOperator({
      variables: {
        PUBLIC_URL: 'http://localhost:3000',
        WECHAT_OPEN_URL: open,
        WECHAT_API_URL: api,
        WECHAT_MP_URL: mp,
      },
    });
    const add = ['provider', 'add', 'wechat', '--mp-app-id', account.appid, '--mp-app-secret-from', '-'];
    await operator.json(add, { input: account.secret });
    await operator.json(['role', 'add', 'reader']);
    await operator.query('INSERT INTO iam.users (id) VALUES ($1)', [user]);
    await operator.query(
      `INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope)
       VALUES (gen_random_uuid(), $1, 'wechat', 'mp', $2, $3, 'wechat')`,
      [user, old.appid, person.openid(old)],
    );
    await operator.query(
      `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status, lease_until)
       VALUES (gen_random_uuid(), 'wechat', 'due', 'text', now(), '{}', 'pending', now() - interval '1 minute')`,
    );
    // Loops begin somewhere in their first interval: here, at its start.
    jest.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await operator.close();
    await wechat.stop();
  });

  it.each(calls)('is none of `%s`, which leaves a push that is due to the replicas', async (call) => {
    const pushes = () => operator.query('SELECT * FROM iam.webhook_events');
    const before = await pushes();

    const args = call.replace('{old}', accounts.old).replace('{new}', accounts.new).split(' ');
    const outcome = await operator.run(args);

    expect(outcome.exitCode).toBe(0);

    expect(await pushes()).toEqual(before);
  });

  it('is asked about for every command but the emulator’s', () => {
    const names = commandList.map(({ name }) => name);

    expect(names.filter((name) => !calls.some((call) => call.startsWith(name)))).toEqual(['emulator']);
  });
});
