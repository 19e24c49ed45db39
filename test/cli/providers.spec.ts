import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WechatEmulator, type OfficialAccount, type WebsiteApp } from '../../emulator/index.js';
import { IdentityProviders } from '../../src/index.js';
import { factsOf, plainColumnNames } from '../../src/identity-providers/provider-columns.js';
import { startIamApp } from '../support/iam-app.js';
import { onPc } from '../support/signed-in.js';
import { recordOf, startOperator, type Operator } from './support/operator.js';

const publicUrl = 'https://app.example.com';
const appSecret = 'the-secret-of-the-app-0123456789';
const encodingAesKey = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';

describe('nestjs-wechat-iam provider', () => {
  let wechat: WechatEmulator;
  let site: WebsiteApp;
  let oa: OfficialAccount;
  let operator: Operator;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'iam-cli-'));
    wechat = await WechatEmulator.start();
    const account = wechat.openPlatformAccount();
    site = account.websiteApp({ callbackDomain: 'localhost' });
    oa = account.officialAccount({ oauthDomain: 'localhost' });
    const { api, open, mp } = wechat.endpoints;
    const endpoints = { WECHAT_API_URL: api, WECHAT_OPEN_URL: open, WECHAT_MP_URL: mp };
    operator = await startOperator({ variables: { PUBLIC_URL: publicUrl, ...endpoints } });
  });
  afterAll(async () => {
    await operator.close();
    await wechat.stop();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => operator.query('TRUNCATE iam.identity_providers'));

  const stored = () => operator.query('SELECT * FROM iam.identity_providers ORDER BY slug');
  const audited = (slug: string) =>
    operator.query('SELECT * FROM iam.audit_log WHERE provider = $1 ORDER BY id', [slug]);
  const openedBy = async (slug: string) => {
    const iam = await startIamApp({
      databaseUrl: operator.database.url,
      endpoints: wechat.endpoints,
      key: operator.key,
    });
    const provider = await iam.app.get(IdentityProviders).getEnabled(slug);
    await iam.close();
    return provider;
  };

  it('adds a row from JSON on standard input, with which a person signs in', async () => {
    const row = { name: '微信', open_app_id: site.appid, open_app_secret: site.secret };

    const { exitCode, stdout } = await operator.run(['provider', 'add', 'wechat', '--from', '-'], {
      input: JSON.stringify(row),
    });

    expect(exitCode).toBe(0);
    expect(stdout).toContain(`${publicUrl}/iam/callback/wechat`);
    const iam = await startIamApp({
      databaseUrl: operator.database.url,
      endpoints: wechat.endpoints,
      key: operator.key,
    });
    const { me } = await onPc({ url: iam.url, wechat }, wechat.person({ nickname: '小兰' }));
    expect(me).toMatchObject({ nickname: '小兰' });
    await iam.close();
  });

  it('takes columns from options and secrets from standard input, variables and files, and shows none', async () => {
    const file = join(folder, 'aes-key');
    await writeFile(file, `${encodingAesKey}\n`);

    const outcome = await operator.run(
      [
        ...['provider', 'add', 'wechat', '--mp-app-id', 'wx0123456789abcdef', '--qr-enabled', 'true'],
        ...['--mp-token-from', '-', '--mp-encoding-aes-key-from', file],
        ...['--mp-app-secret-from', 'env:WECHAT_SECRET', '--open-app-secret-from', '-', '--json'],
      ],
      { input: 'TheTokenOfTheServer\nsecret-of-the-site\n', variables: { WECHAT_SECRET: appSecret } },
    );

    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.json()).toMatchObject({
      slug: 'wechat',
      mp_app_id: 'wx0123456789abcdef',
      qr_enabled: true,
      secrets: { mp_app_secret: true, mini_app_secret: false },
      webhook_url: `${publicUrl}/iam/webhook/wechat`,
    });
    const { mp, mpServer } = await openedBy('wechat');
    expect(
      [mp?.secret, mpServer.tokens[0], mpServer.encodingAesKeys[0]].map((each) => each?.reveal()),
    ).toEqual([appSecret, 'TheTokenOfTheServer', encodingAesKey]);
    const everything = JSON.stringify([outcome.stdout, await stored(), await audited('wechat')]);
    for (const secret of [
      appSecret,
      'TheTokenOfTheServer',
      encodingAesKey,
      'secret-of-the-site',
      operator.key,
    ])
      expect(everything).not.toContain(secret);
  });

  it('writes who it was into the audit log: the command line', async () => {
    await operator.json(['provider', 'add', 'audited', '--mp-token-from', '-'], { input: 'FirstToken' });
    await operator.json(['provider', 'set', 'audited', '--name', '微信']);
    await operator.json(['provider', 'rotate', 'audited', 'mp_token']);

    expect(
      (await audited('audited')).map(({ action, actor, provider }) => [action, actor, provider]),
    ).toEqual([
      ['provider.created', 'cli', 'audited'],
      ['provider.updated', 'cli', 'audited'],
      ['provider.secret_rotated', 'cli', 'audited'],
    ]);
  });

  it.each([
    [['--mp-app-secret', appSecret]],
    [[`--mp-app-secret=${appSecret}`]],
    [['--mp_app_secret', appSecret]],
    [['--mp-token', appSecret, '--mp-app-id', 'wx1']],
    [['--mp-app-secret-from', appSecret]],
    [['--mp-app-secret-from', `env:${appSecret}`]],
    [[appSecret]],
    [['--from', `{"mp_app_secret":"${appSecret}"}`]],
  ])('refuses a secret among the arguments, says why and does not repeat it: %j', async (args) => {
    for (const form of [[], ['--json']]) {
      const outcome = await operator.run(['provider', 'add', 'wechat', ...args, ...form]);

      expect(outcome.exitCode).toBe(2);
      expect(outcome.stdout + outcome.stderr).not.toContain(appSecret);
      expect(outcome.stdout + outcome.stderr).toMatch(/standard input|One argument too many/);
    }
    expect(await stored()).toEqual([]);
  });

  it.each([
    [['--qr-enabled', 'perhaps'], '', 'qr_enabled'],
    [['--qr-confirmation', 'no'], '', 'qr_confirmation'],
    [['--mp-token-from', '-'], 'x', 'mp_token'],
    [['--mp-token-from', '-'], '', '--mp-token-from'],
    [['--mp-token-from', '-'], 'plain:abc', 'mp_token'],
    [['--from', '-'], 's3cret{', '--from'],
    [['--from', '-'], '[{"name":"s3cret"}]', '--from'],
    [['--from', '-'], '{"slug":"other"}', '--from'],
    [['--from', '-'], '{"nmae":"x"}', 'nmae'],
    [['--from', '-', '--mp-token-from', '-'], '{}', '--from -'],
    [['--mp-ap-id', 'wx1'], '', 'Did you mean --mp-app-id?'],
  ])('names what is wrong with a row: %j %j', async (args, input, named) => {
    const { exitCode, stderr } = await operator.run(['provider', 'add', 'wechat', ...args], { input });

    expect(exitCode).toBe(2);
    expect(stderr).toContain(named);
    expect(stderr).not.toContain('s3cret');
    expect(await stored()).toEqual([]);
  });

  it('refuses a slug that is no slug, one that is taken, and one that is not there', async () => {
    expect((await operator.run(['provider', 'add', 'We Chat'])).exitCode).toBe(2);
    await operator.json(['provider', 'add', 'wechat']);

    const again = await operator.run(['provider', 'add', 'wechat', '--json']);
    expect([again.exitCode, again.json()]).toMatchObject([1, { error: { code: 'already_exists' } }]);

    const missing = await operator.run(['provider', 'set', 'wehcat', '--name', 'x', '--json']);
    expect([missing.exitCode, missing.json()]).toMatchObject([1, { error: { code: 'provider_not_found' } }]);
    expect((await operator.run(['provider', 'set', 'wechat'])).exitCode).toBe(2);
  });

  it('changes what is given, empties what is to be cleared, and keeps the rest', async () => {
    await operator.json(['provider', 'add', 'wechat', '--mp-token-from', '-', '--union-scope', 'shared'], {
      input: 'TheToken',
    });
    const [before] = await stored();

    const after = await operator.json([
      'provider',
      'set',
      'wechat',
      '--enabled',
      'false',
      '--clear',
      'union_scope',
      '--clear',
      'mp-token',
    ]);

    expect(after).toMatchObject({ enabled: false, union_scope: null, secrets: { mp_token: false } });
    expect(await stored()).toMatchObject([{ id: before?.['id'], name: 'wechat', mp_token: null }]);
    expect((await operator.run(['provider', 'set', 'wechat', '--clear', 'enabled'])).exitCode).toBe(2);
  });

  it('lists every row however many there are, Chinese names aligned, and what is wrong with them', async () => {
    await operator.query(
      `INSERT INTO iam.identity_providers (slug, name) SELECT 'p' || lpad(n::text, 3, '0'), '微信' FROM generate_series(1, 205) n`,
    );
    await operator.query(`UPDATE iam.identity_providers SET name = E'a\\u001b[31m' WHERE slug = 'p001'`);

    const { providers } = await operator.json(['provider', 'list']);
    expect(providers).toHaveLength(205);

    const { stdout } = await operator.run(['provider', 'list']);
    const [heading = '', first = '', second = ''] = stdout.split('\n');
    expect(second.indexOf('yes') + 2).toBe(heading.indexOf('enabled'));
    expect(first).toContain('a\ufffd[31m');
    expect(stdout).toContain('! p205: Ways to sign in. No AppID has its AppSecret');
    expect(
      (await operator.run(['provider', 'list'], { variables: { PUBLIC_URL: undefined } })).exitCode,
    ).toBe(0);
  });

  it('checks a row with WeChat, and says in either language what to mend', async () => {
    await operator.json(['provider', 'add', 'wechat', '--from', '-'], {
      input: JSON.stringify({ mp_app_id: oa.appid, mp_app_secret: oa.secret }),
    });
    const good = await operator.run(['provider', 'check', 'wechat']);
    expect(good.exitCode).toBe(0);
    expect(good.stdout).toContain(`WeChat accepts the pair of ${oa.appid}`);
    expect(good.stdout).toMatch(/\nok\n$/);

    await operator.json(['provider', 'set', 'wechat', '--mp-app-secret-from', '-'], { input: appSecret });
    const bad = await operator.run(['provider', 'check', 'wechat']);
    expect(bad.exitCode).toBe(1);
    expect(bad.stdout).toMatch(
      /ERROR {4}AppID and AppSecret of the Official Account\n.*\n +→ Compare the AppID/,
    );

    const chinese = await operator.run(['provider', 'check', 'wechat'], {
      variables: { LANG: 'zh_CN.UTF-8' },
    });
    expect(chinese.stdout).toContain('微信拒绝了');
    const asked = await operator.run(['provider', 'check', 'wechat', '--lang', 'zh-CN', '--json']);
    expect(asked.exitCode).toBe(1);
    expect(recordOf(asked.json())).toMatchObject({ ok: false });
    expect(asked.stdout).toContain('微信拒绝了');
    expect((await operator.run(['provider', 'check', 'wechat', '--lang', 'fr'])).exitCode).toBe(2);
    expect((await operator.run(['provider', 'check', 'other'])).exitCode).toBe(1);
  });

  it.each(['add', 'set'])(
    'explains each column in the help of %s, in the language of the shell',
    async (verb) => {
      const help = async (LANG: string) =>
        (await operator.run(['provider', verb, '--help'], { variables: { LANG } })).stdout.replace(
          /\s+/g,
          ' ',
        );

      const [english, chinese] = [await help('en_US.UTF-8'), await help('zh_CN.UTF-8')];
      for (const name of plainColumnNames) {
        const { help: texts } = factsOf(name);
        expect(english).toContain(texts.en);
        expect(chinese).toContain(texts.zh);
      }
    },
  );

  it('generates a Token once, keeps the old one working, and then makes room', async () => {
    await operator.json(['provider', 'add', 'wechat', '--mp-token-from', '-'], { input: 'FirstToken' });

    const { exitCode, stdout } = await operator.run(['provider', 'rotate', 'wechat', 'mp-token']);

    expect(exitCode).toBe(0);
    const [value = ''] = stdout.split('\n');
    expect(value).toMatch(/^[A-Za-z0-9]{32}$/);
    const { mpServer } = await openedBy('wechat');
    expect(mpServer.tokens.map((token) => token.reveal())).toEqual([value, 'FirstToken']);
    expect((await operator.run(['provider', 'rotate', 'wechat', 'mp_token', '--json'])).json()).toMatchObject(
      {
        error: { code: 'in_use' },
      },
    );
    expect((await operator.run(['provider', 'list'])).stdout).not.toContain(value);

    await operator.json(['provider', 'set', 'wechat', '--clear', 'mp_token_previous']);
    expect(await operator.json(['provider', 'rotate', 'wechat', 'mp_token'])).toMatchObject({
      secret: 'mp_token',
      value: expect.stringMatching(/^\w{32}$/) as unknown,
    });
  });

  it("takes WeChat's own secrets for a rotation, and never from the arguments", async () => {
    await operator.json(['provider', 'add', 'wechat', '--mp-app-id', oa.appid, '--mp-app-secret-from', '-'], {
      input: appSecret,
    });

    expect((await operator.run(['provider', 'rotate', 'wechat', 'mp_app_secret'])).stderr).toContain(
      '--from',
    );
    expect((await operator.run(['provider', 'rotate', 'wechat', 'mp_app_secre'])).stderr).toContain(
      'did you mean mp_app_secret?',
    );
    for (const args of [[oa.secret], ['--value', oa.secret], ['--from', oa.secret]]) {
      const refused = await operator.run(['provider', 'rotate', 'wechat', 'mp_app_secret', ...args]);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain('standard input');
      expect(refused.stderr).not.toContain(oa.secret);
    }
    const { exitCode, stdout } = await operator.run(
      ['provider', 'rotate', 'wechat', 'mp_app_secret', '--from', 'env:NEW'],
      { variables: { NEW: oa.secret } },
    );

    expect([exitCode, stdout]).toEqual([0, 'mp_app_secret of wechat is replaced.\n']);
    expect((await openedBy('wechat')).mp?.secret.reveal()).toBe(oa.secret);
  });

  it('registers an application, changes it, and shows its secret once', async () => {
    await operator.json(['provider', 'add', 'wechat', '--mp-app-id', oa.appid, '--mp-app-secret-from', '-'], {
      input: oa.secret,
    });
    const uri = 'https://portal.example.com/callback';
    const add = ['client', 'add', 'portal', '--type', 'confidential', '--redirect-uri', uri];

    const added = await operator.run(add);
    const again = await operator.run([...add, '--json']);
    const machine = await operator.run(['client', 'add', 'nightly', '--type', 'service']);
    const rotated = await operator.run(['client', 'rotate', 'portal']);
    const [secret = ''] = rotated.stdout.split('\n');
    const second = await operator.json(['client', 'rotate', 'portal']);
    const cleared = await operator.json(['client', 'rotate', 'portal', '--clear']);
    const changed = await operator.json([
      'client',
      'set',
      'portal',
      '--provider',
      'wechat',
      '--enabled',
      'false',
    ]);
    const opened = await operator.json(['client', 'set', 'portal', '--clear', 'provider']);
    const listed = await operator.run(['client', 'list']);
    const refused = [
      await operator.run(['client', 'set', 'portal', '--redirect-uri', 'http://portal.example.com/']),
      await operator.run(['client', 'set', 'portal', '--clear', 'id']),
      await operator.run(['client', 'add', 'a/b', '--redirect-uri', uri]),
      await operator.run(['client', 'set', 'portal']),
    ];

    expect(added.stdout).toContain('client rotate portal');
    expect(machine.stdout).toContain('client rotate nightly');
    expect(again.json()).toMatchObject({ error: { code: 'already_exists' } });
    expect(secret).toMatch(/^iamcs_\w{44}$/);
    expect(second).toMatchObject({ client: { has_previous_secret: true } });
    expect(cleared).toMatchObject({ has_secret: true, has_previous_secret: false });
    expect(changed).toMatchObject({ enabled: false, providers: ['wechat'], redirect_uris: [uri] });
    expect(opened).toMatchObject({ enabled: false, providers: [] });
    expect([listed.stdout.includes('portal'), listed.stdout.includes(secret)]).toEqual([true, false]);
    expect(refused.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2]);
    expect(refused[0]?.stderr).toContain('--redirect-uri');
    expect(
      await operator.query(
        `SELECT actor, array_agg(action ORDER BY id) AS actions FROM iam.audit_log WHERE client_id = 'portal' GROUP BY actor`,
      ),
    ).toEqual([
      {
        actor: 'cli',
        actions: [
          'client.created',
          'client.secret_rotated',
          'client.secret_rotated',
          'client.secret_cleared',
          'client.updated',
          'client.updated',
        ],
      },
    ]);
  });
});
