import type { Fault, Person } from '../../emulator/index.js';
import { IamUsers } from '../../src/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { callMe } from '../support/account.js';
import { AdminClient, type AdminReply, adminWithPermissions } from '../support/admin.js';
import { startReplica } from '../support/iam-app.js';
import {
  auditOf,
  countPeople,
  MatchingHooks,
  MatchingHooksModule,
  meOf,
  outcomeOf,
  owner,
  type PhoneWorld,
  signInMini,
  signInWithNumber,
  startPhoneWorld,
} from '../support/phone-sign-in.js';
import type { Reply } from '../support/pc-browser.js';
import { countQueries, isHousekeeping } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { inWechat } from '../support/signed-in.js';
import { toTokens } from '../support/sign-in.js';

const path = '/wxa/business/getuserphonenumber';

describe('a number that comes with a sign-in', () => {
  let world: PhoneWorld;

  beforeAll(async () => {
    world = await startPhoneWorld();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    world.hooks.reset();
    world.wechat.clearFaults();
    world.wechat.clearCalls();
    await world.saveProvider({ sign_up: 'auto' });
  });

  describe('of a mini program', () => {
    it('is the user’s from their first sign-in on, and is in no token', async () => {
      const lan = owner(world, '13800138000');

      const reply = await signInWithNumber(world, lan);
      const me = await meOf(world, reply);

      expect(me).toMatchObject({
        phone_number: '+8613800138000',
        phone_verified_at: expect.any(String) as string,
      });
      expect(
        await rowsOf(world.dataSource, 'SELECT phone_appid, phone_is_unique FROM iam.users WHERE id = $1', [
          me['id'],
        ]),
      ).toEqual([{ phone_appid: world.apps.mini.appid, phone_is_unique: true }]);
      expect(await auditOf(world, me['id'])).toMatchObject([
        { action: 'user.phone_verified', detail: { appid: world.apps.mini.appid, number: '+86*******8000' } },
        { action: 'user.signed_up' },
      ]);
      expect(world.hooks.signedUp).toMatchObject([{ phoneNumber: '+8613800138000' }]);
      const [, claims = ''] = toTokens(reply).accessToken.split('.');
      expect(Buffer.from(claims, 'base64url').toString()).not.toMatch(/13800138000|phone/);
    });

    it('is new for a user who had another, and stays where a sign-in brings none', async () => {
      const lan = owner(world);
      const { id } = await meOf(world, await signInMini(world, lan));
      await signInWithNumber(world, lan);
      lan.changeProfile({ phoneNumber: '91234567', countryCode: '852' });

      await signInWithNumber(world, lan);
      const me = await meOf(world, await signInMini(world, lan));

      expect(me).toMatchObject({ id, phone_number: '+85291234567' });
      expect((await auditOf(world, id)).map(({ action }) => action)).toEqual([
        'login.authenticated',
        'login.authenticated',
        'login.authenticated',
        'user.phone_verified',
        'user.phone_verified',
        'user.signed_up',
      ]);
    });

    it('is asked for with the openid that the same sign-in has proved', async () => {
      const lan = owner(world);

      await signInWithNumber(world, lan);

      const [call] = world.wechat.calls(path);
      expect(JSON.stringify(call)).toContain(lan.openid(world.apps.mini));
    });

    it.each([
      ['one of somebody else', () => owner(world).phoneNumberCode(world.apps.mini)],
      ['one of another mini program', (lan: Person) => lan.phoneNumberCode(world.account.miniProgram())],
      ['one of wx.login', (lan: Person) => lan.wxLogin(world.apps.mini)],
      ['made up', () => 'f'.repeat(64)],
    ])('fails the whole sign-in by a code that is %s, and nothing is stored', async (_case, codeOf) => {
      const lan = owner(world);
      const before = await countPeople(world);

      const reply = await signInMini(world, lan, codeOf(lan));

      expect([reply.status, outcomeOf(reply)]).toEqual([400, 'phone_code_invalid']);
      expect(await countPeople(world)).toEqual(before);
      expect(
        await rowsOf(world.dataSource, `SELECT status, error FROM iam.logins ORDER BY id DESC LIMIT 1`),
      ).toEqual([{ status: 'failed', error: 'phone_code_invalid' }]);
      expect(world.hooks.asked).toEqual([]);
      expect((await signInWithNumber(world, lan)).status).toBe(200);
    });

    it('is once for two requests that have the same code', async () => {
      const lan = owner(world);
      const phoneCode = lan.phoneNumberCode(world.apps.mini);

      const replies = await Promise.all([
        signInMini(world, lan, phoneCode),
        signInMini(world, lan, phoneCode),
      ]);

      expect(replies.map(({ status }) => status).sort()).toEqual([200, 400]);
    });

    it.each<[string, Fault, number, string]>([
      ['WeChat answers with a page', { body: '<html>busy</html>', contentType: 'text/html' }, 200, 'in'],
      ['WeChat is busy', { errcode: -1 }, 200, 'in'],
      ['WeChat finds the token invalid', { errcode: 40001 }, 200, 'in'],
      ['WeChat has another errcode', { errcode: 45011 }, 503, 'wechat_quota_exceeded'],
      ['the answer has no number', { remove: ['phone_info'] }, 502, 'wechat_answer_invalid'],
    ])('is there or not when once %s', async (_case, fault, status, outcome) => {
      const lan = owner(world);
      const before = await countPeople(world);
      world.wechat.once(path, fault);

      const reply = await signInWithNumber(world, lan);

      expect([reply.status, outcomeOf(reply)]).toEqual([status, outcome]);
      if (status !== 200) expect(await countPeople(world)).toEqual(before);
    });

    it('costs what it did without one, and with one a link', async () => {
      const lan = owner(world);
      const counter = countQueries(world.database.url);
      const counted = async (work: () => Promise<Reply>) => {
        const mark = counter.mark();
        expect((await work()).status).toBe(200);
        return counter.since(mark).filter((text) => !isHousekeeping(text)).length;
      };

      const first = await counted(() => signInWithNumber(world, lan));
      const known = await counted(() => signInWithNumber(world, lan));
      const without = await counted(() => signInMini(world, lan));
      counter.stop();

      expect([first, known, without]).toEqual([4, 4, 3]);
    });

    it('never is in the log', () => {
      expect(world.log.text).not.toMatch(/\+86|13800138000|139000000/);
    });
  });

  describe('that only one user may have', () => {
    it('is refused to another, who can come in without it, and stays with the first', async () => {
      const lan = owner(world);
      const first = await meOf(world, await signInWithNumber(world, lan));
      const lin = owner(world, String(first['phone_number']).slice(3));
      const before = await countPeople(world);

      const refused = await signInWithNumber(world, lin);
      const again = await meOf(world, await signInMini(world, lin));
      const link = await callMe(world, toTokens(await signInMini(world, lin)), '/phone_number', {
        method: 'POST',
        body: { provider: 'wechat', code: lin.phoneNumberCode(world.apps.mini) },
      });

      expect([refused.status, outcomeOf(refused)]).toEqual([400, 'phone_number_taken']);
      expect(before).toMatchObject({ numbers: (await countPeople(world))?.['numbers'] });
      expect(again['phone_number']).toBeNull();
      expect([link.status, link.json()['code']]).toEqual([409, 'phone_number_taken']);
      expect((await meOf(world, await signInWithNumber(world, lan)))['phone_number']).toBe(
        first['phone_number'],
      );
    });

    it('goes to one of two who bring it at once', async () => {
      const [lan, lin] = [owner(world, '13700000001'), owner(world, '13700000001')];
      const replica = await startReplica(world, {
        imports: [MatchingHooksModule],
        options: { phone: { unique: true } },
      });

      const replies = await Promise.all([
        signInWithNumber(world, lan),
        signInWithNumber({ ...world, url: replica.url }, lin),
      ]);
      await replica.close();

      expect(replies.map((reply) => outcomeOf(reply)).sort()).toEqual(['in', 'phone_number_taken']);
    });

    it('stays with all who had it before the host asked for that', async () => {
      const before = await startReplica(world, {
        options: { hooks: MatchingHooks },
        imports: [MatchingHooksModule],
      });
      const [lan, lin, lee] = [
        owner(world, '13700000002'),
        owner(world, '13700000002'),
        owner(world, '13700000002'),
      ];
      await signInWithNumber({ ...world, url: before.url }, lan);
      await signInWithNumber({ ...world, url: before.url }, lin);
      await before.close();

      const replies = [
        await signInWithNumber(world, lan),
        await signInWithNumber(world, lin),
        await signInWithNumber(world, lee),
      ];

      expect(replies.map((reply) => outcomeOf(reply))).toEqual(['in', 'in', 'phone_number_taken']);
    });

    it('is free again once its user has removed it', async () => {
      const lan = owner(world, '13700000003');
      await callMe(world, toTokens(await signInWithNumber(world, lan)), '/phone_number', {
        method: 'DELETE',
      });

      expect((await signInWithNumber(world, owner(world, '13700000003'))).status).toBe(200);
    });

    it('is kept through a request to be erased and its end, and free after an erasure', async () => {
      const lan = owner(world, '13700000004');
      const tokens = toTokens(await signInWithNumber(world, lan));
      await callMe(world, tokens, '/deletion', { method: 'POST' });
      const meanwhile = await signInWithNumber(world, owner(world, '13700000004'));
      await callMe(world, tokens, '/deletion', { method: 'DELETE' });
      const kept = await callMe(world, tokens, '');
      await callMe(world, tokens, '/deletion', { method: 'POST' });
      await world.dataSource.query(`UPDATE iam.users SET deletion_at = now() WHERE deletion_at IS NOT NULL`);
      await world.app.get(Cleanup, { strict: false }).removeExpired();

      expect(outcomeOf(meanwhile)).toBe('phone_number_taken');
      expect(kept.json()['phone_number']).toBe('+8613700000004');
      expect((await signInWithNumber(world, owner(world, '13700000004'))).status).toBe(200);
    });

    const merged = async (
      ofOlder: string | null,
      ofYounger: string,
      meanwhile: () => Promise<unknown> = () => Promise.resolve(),
    ) => {
      const lan = owner(world, ofYounger);
      world.account.unbind(world.oa);
      const older = await inWechat(world, lan);
      world.account.bind(world.oa);
      const younger = await meOf(world, await signInWithNumber(world, lan));
      if (ofOlder !== null)
        await world.dataSource.query(
          `UPDATE iam.users SET phone_number = $2, phone_verified_at = now(), phone_is_unique = true WHERE id = $1`,
          [older.id, ofOlder],
        );
      await meanwhile();
      const after = await inWechat(world, lan);
      expect([after.id, younger['id'] === older.id]).toEqual([older.id, false]);
      return after.me['phone_number'];
    };

    it('goes over to the user who stays in a merge, as their only one', async () => {
      expect(await merged(null, '13700000005')).toBe('+8613700000005');
      expect(outcomeOf(await signInWithNumber(world, owner(world, '13700000005')))).toBe(
        'phone_number_taken',
      );
    });

    it('goes over in a merge although another has got it while the host did not ask for that', async () => {
      const { id } = await meOf(world, await signInMini(world, owner(world)));
      const share = () =>
        world.dataSource.query(
          `UPDATE iam.users SET phone_number = '+8613700000009', phone_verified_at = now() WHERE id = $1`,
          [id],
        );

      expect(await merged(null, '13700000009', share)).toBe('+8613700000009');
    });

    it('is given up in a merge with a user who has another', async () => {
      expect(await merged('+8613700000006', '13700000007')).toBe('+8613700000006');
      expect((await signInWithNumber(world, owner(world, '13700000007'))).status).toBe(200);
    });
  });

  describe('that administrators look for', () => {
    const idsOf = (reply: AdminReply) => reply.items().map(({ id }) => id);

    it('is found as people write it, here or abroad, and by nothing less', async () => {
      const admin = new AdminClient(world.url);
      const { id: chinese } = await meOf(world, await signInWithNumber(world, owner(world, '13512340001')));
      const gail = owner(world, '07911123456');
      gail.changeProfile({ countryCode: '44' });
      const { id: british } = await meOf(world, await signInWithNumber(world, gail));
      const find = async (text: string) => [
        idsOf(await admin.get(`users?q=${encodeURIComponent(text)}`)),
        idsOf(await admin.get(`users?phone_number=${encodeURIComponent(text)}`)),
      ];

      const found = await Promise.all(
        [
          '+8613512340001',
          '13512340001',
          '135 1234 0001',
          '0086-135-1234-0001',
          '07911 123456',
          '+44 7911 123456',
        ].map(find),
      );
      const missed = await Promise.all(['12340001', '+86135123400', '135123400', '0001', '%', '+'].map(find));

      expect(found).toEqual([chinese, chinese, chinese, chinese, british, british].map((id) => [[id], [id]]));
      expect(missed.flat()).toEqual(missed.flat().map(() => []));
    });

    it('is masked for all but who may read it', async () => {
      const { id } = await meOf(world, await signInWithNumber(world, owner(world, '13512340002')));
      const reader = await adminWithPermissions(world, 'iam:users:*', 'iam:audit:read');
      const clerk = await adminWithPermissions(world, 'iam:users:read', 'iam:phone_numbers:read');
      const shown = async (admin: AdminClient) => (await admin.get(`users/${String(id)}`)).json();

      const listed = (await clerk.get('users?q=13512340002')).items();
      const renamed = await reader.patch(`users/${String(id)}`, { nickname: '改' });
      const audited = await reader.get(`audit?user=${String(id)}`);
      const searched = await reader.get('users?q=13512340002');
      const tried = await reader.get('users?phone_number=13512340002');

      expect(listed).toMatchObject([{ id, phone_number: '+86*******0002' }]);
      expect(await shown(reader)).toMatchObject({
        phone_number: '+86*******0002',
        phone_appid: world.apps.mini.appid,
      });
      expect(renamed.json()).toMatchObject({ nickname: '改', phone_number: '+86*******0002' });
      expect(await shown(clerk)).toMatchObject({ phone_number: '+8613512340002' });
      expect(await shown(new AdminClient(world.url))).toMatchObject({ phone_number: '+8613512340002' });
      expect(audited.text).not.toContain('13512340002');
      expect([searched.items(), tried.status]).toEqual([[], 403]);
    });

    it('is not to be tried out by the ETag of its user, who has another one with every new number', async () => {
      const { id } = await meOf(world, await signInWithNumber(world, owner(world, '13512340004')));
      const reader = await adminWithPermissions(world, 'iam:users:read');
      const etag = async () => (await reader.get(`users/${String(id)}`)).etag;
      const change = (columns: string) =>
        world.dataSource.query(`UPDATE iam.users SET ${columns} WHERE id = $1`, [id]);
      const first = await etag();

      await change(`phone_number = '+8613512340005'`);
      const guessed = await etag();
      await change(`phone_verified_at = now()`);

      expect(guessed).toBe(first);
      expect(await etag()).not.toBe(first);
    });

    it('can be taken from a user who has it no longer', async () => {
      const { id } = await meOf(world, await signInWithNumber(world, owner(world, '13512340003')));
      const reader = await adminWithPermissions(world, 'iam:users:read');
      const admin = new AdminClient(world.url);

      const refused = await reader.delete(`users/${String(id)}/phone_number`);
      const removed = await admin.delete(`users/${String(id)}/phone_number`);

      expect([refused.status, removed.status]).toEqual([403, 204]);
      expect(outcomeOf(await signInWithNumber(world, owner(world, '13512340003')))).toBe('in');
    });
  });

  describe('of a person who has yet to be connected to an account', () => {
    it('comes to the account with the connection', async () => {
      await world.saveProvider({ sign_up: 'bind' });
      const [lan, lin] = [owner(world, '13600000001'), owner(world, '13600000002')];
      const tokens = [
        (await signInWithNumber(world, lan)).json(),
        (await signInWithNumber(world, lin)).json(),
      ].map((body) => String(body['binding_token']));
      const users = world.app.get(IamUsers);
      const subjects = `SELECT subject->>'phoneNumber' AS number FROM iam.logins WHERE status = 'binding' ORDER BY id`;
      const waiting = await rowsOf(world.dataSource, subjects);

      const bound = await users.bind(tokens[0] ?? '', { externalId: 'bound' });

      expect(waiting).toEqual([{ number: '+8613600000001' }, { number: '+8613600000002' }]);
      expect(
        await valueOf(world.dataSource, 'SELECT phone_number FROM iam.users WHERE id = $1', [bound.id]),
      ).toBe('+8613600000001');
      expect((await auditOf(world, bound.id)).map(({ action }) => action)).toContain('user.phone_verified');
    });
  });
});
