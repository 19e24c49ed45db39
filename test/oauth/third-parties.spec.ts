import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { ClientRegistry } from '../../src/http/client-registry.service.js';
import { Reencryption } from '../../src/keys/reencryption.service.js';
import { AccessTokens } from '../../src/sessions/access-tokens.service.js';
import { Authentication } from '../../src/sessions/authentication.service.js';
import { IamGuard } from '../../src/sessions/iam.guard.js';
import { SubjectIdentifiers } from '../../src/sessions/subject-identifiers.service.js';
import { callMe, itemsOf } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { decide, openConsent, ThirdParties } from '../support/consent.js';
import {
  type IamApp,
  redirectUri,
  startReplica,
  startWorld,
  testKey,
  type World,
} from '../support/iam-app.js';
import type { Reply } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { basic, post } from '../support/server-client.js';
import { onPc, type SignedIn } from '../support/signed-in.js';
import { getWith, redeem, returnFromPc } from '../support/sign-in.js';

const calendar = 'https://calendar.example.com/api';
/** Of the API of this host. */
const here = 'https://host.example.com/api';

/** Of the host, which names itself among the option `resources`. */
class Orders {
  list() {
    return [];
  }
}

describe('what an application of a third party has', () => {
  let world: World;
  let admin: AdminClient;
  let parties: ThirdParties;

  beforeAll(async () => {
    world = await startWorld({
      options: {
        ...adminOptions,
        tokens: { audience: here },
        resources: [{ identifier: calendar, client: 'calendar' }, { identifier: here }],
      },
    });
    admin = new AdminClient(world.url);
    parties = new ThirdParties(world);
  });
  afterAll(() => world.close());

  const giveRole = async (userId: string) => {
    await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('clerk')`);
    await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk')`, [userId]);
  };
  const person = () => world.wechat.person({ nickname: '小兰' });
  const claimsOf = (token: unknown) =>
    JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
  const audited = (client: string) =>
    rowsOf(
      world.dataSource,
      `SELECT action, detail->'scopes' AS scopes FROM iam.audit_log WHERE client_id = $1 AND action LIKE 'consent.%' ORDER BY id`,
      [client],
    );
  const outcome = (reply: Reply) => [reply.status, reply.json()['code'] ?? reply.json()['error']];
  const withdraw = (me: SignedIn, id: string) => callMe(world, me, `/consents/${id}`, { method: 'DELETE' });

  it('gets tokens for an API that the person has agreed to, which know the person as the application does', async () => {
    const who = person();
    const me = await onPc(world, who);
    await giveRole(me.id);
    const { secret } = (
      await admin
        .post('clients', { id: 'calendar', type: 'confidential', grants: ['refresh_token'] })
        .then(() => admin.post('clients/calendar/rotate', {}, '*'))
    ).json();
    const id = await parties.register({ resources: [calendar], subject_type: 'pairwise' });
    const come = (changes: Readonly<Record<string, string>>) =>
      returnFromPc(world, who, { client_id: id, scope: 'openid', ...changes });

    const asking = await come({ resource: calendar });
    const returned = await decide(asking, await openConsent(asking), 'confirm');
    const { access_token } = (await parties.tokens(id, { ...asking, returned })).json();
    const told = await post(
      `${world.url}/iam/introspect`,
      { token: String(access_token) },
      basic('calendar', String(secret)),
    );
    const here = await getWith(`${world.url}/iam/me`, String(access_token));
    const unasked = await redeem(world.url, await come({}), { client_id: id, resource: calendar });

    const { sub, aud, roles } = claimsOf(access_token);
    expect([aud, roles]).toEqual([calendar, []]);
    expect(sub).not.toBe(me.id);
    expect(told.json()).toMatchObject({ active: true, client_id: id, sub, aud: calendar, roles: [] });
    expect(here.status).toBe(401);
    expect(outcome(unasked)).toEqual([400, 'invalid_target']);
  });

  describe('loses what it has', () => {
    it('when the person withdraws, who finds it among their applications', async () => {
      const who = person();
      const me = await onPc(world, who);
      const id = await parties.register({ name: 'Calendar', client_uri: 'https://calendar.example.com/' });
      const granted = await parties.tokens(id, await parties.agree(id, who));

      const [listed] = itemsOf(await callMe(world, me, '/consents'));
      const withdrawn = await withdraw(me, id);
      const [again, refreshed] = [
        await withdraw(me, id),
        await parties.refresh(id, granted.json()['refresh_token']),
      ];
      const next = await parties.come(id, who);

      expect(listed).toMatchObject({
        client_id: id,
        name: 'Calendar',
        client_uri: 'https://calendar.example.com/',
        scopes: ['offline_access', 'openid', 'profile'],
        resources: [],
      });
      expect([withdrawn.status, again.status]).toEqual([204, 404]);
      expect(outcome(refreshed)).toEqual([400, 'invalid_grant']);
      expect(itemsOf(await callMe(world, me, '/consents'))).toEqual([]);
      expect(next.returned.location?.pathname).toBe('/iam/consent');
      expect((await audited(id)).map(({ action }) => action)).toEqual(['consent.given', 'consent.withdrawn']);
    });

    it('when the person withdraws before it has redeemed the code', async () => {
      const who = person();
      const me = await onPc(world, who);
      const id = await parties.register();
      const signIn = await parties.agree(id, who);
      await withdraw(me, id);

      expect(outcome(await parties.tokens(id, signIn))).toEqual([400, 'invalid_grant']);
    });

    it('where withdrawal and redemption meet', async () => {
      const who = person();
      const me = await onPc(world, who);
      const id = await parties.register();
      const live = `SELECT count(*)::int FROM iam.sessions s WHERE client_id = $1 AND ended_at IS NULL`;
      for (let round = 0; round < 5; round += 1) {
        const signIn = await parties.agree(id, who);

        const [granted, withdrawn] = await Promise.all([parties.tokens(id, signIn), withdraw(me, id)]);

        expect([[200, 400].includes(granted.status), withdrawn.status]).toEqual([true, 204]);
        expect(await valueOf(world.dataSource, live, [id])).toBe(0);
      }
    });

    it('when it is deleted, also for an application that gets its id later', async () => {
      const who = person();
      const id = await parties.register();
      await parties.agree(id, who);
      await admin.delete(`clients/${id}`);
      await admin.post('clients', { id, first_party: false, redirect_uris: [redirectUri(world.url)] });

      const next = await parties.come(id, who);

      expect(next.returned.location?.pathname).toBe('/iam/consent');
    });

    it('when it becomes one of a third party: nobody has agreed to its sessions, also who agrees to later ones', async () => {
      const who = person();
      const id = await parties.register({ first_party: true });
      const granted = await parties.tokens(id, await parties.come(id, who, null));
      const refresh = (scope?: string) => parties.refresh(id, granted.json()['refresh_token'], scope);
      await admin.patch(`clients/${id}`, { first_party: false });

      const refused = await refresh();
      await parties.agree(id, who, 'openid');
      const later = [await refresh('roles'), await refresh()];

      expect([refused, ...later].map(outcome)).toEqual(
        Array.from({ length: 3 }, () => [400, 'invalid_grant']),
      );
    });

    it('when the person is erased; a copy of their data names it before', async () => {
      const who = person();
      const me = await onPc(world, who);
      const id = await parties.register();
      await parties.agree(id, who);

      const exported = (await callMe(world, me, '/export')).json();
      const erased = await admin.delete(`users/${me.id}`);

      expect(exported['consents']).toMatchObject([
        { client_id: id, scopes: ['offline_access', 'openid', 'profile'] },
      ]);
      expect(erased.status).toBe(204);
      expect(
        await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.consents WHERE client_id = $1', [id]),
      ).toBe(0);
    });

    it('not when two users become one, who has agreed to what both have', async () => {
      const [one, other] = [person(), person()];
      const [kept, gone] = [await onPc(world, one), await onPc(world, other)];
      const [both, single] = [await parties.register(), await parties.register()];
      await parties.agree(both, one, 'openid profile');
      await parties.agree(both, other, 'openid phone');
      await parties.agree(single, other);
      const merged = await admin.post(`users/${kept.id}/merge`, { other: gone.id, force: true });

      const rows = await rowsOf(
        world.dataSource,
        'SELECT user_id, client_id, scopes FROM iam.consents WHERE client_id = ANY($1) ORDER BY client_id',
        [[both, single]],
      );

      expect(merged.status).toBe(200);
      expect(rows).toEqual([
        { user_id: kept.id, client_id: both, scopes: ['openid', 'phone', 'profile'] },
        { user_id: kept.id, client_id: single, scopes: ['offline_access', 'openid', 'profile'] },
      ]);
    });
  });

  describe('gets tokens', () => {
    it('that are for the userinfo endpoint alone, without roles, and refreshed only with offline_access', async () => {
      const who = person();
      const id = await parties.register();
      const online = await parties.tokens(id, await parties.agree(id, who, 'openid roles'));
      const granted = await parties.tokens(id, await parties.agree(id, who));
      const renewed = await parties.refresh(id, granted.json()['refresh_token']);
      const accessToken = String(renewed.json()['access_token']);

      const replies = [
        await getWith(`${world.url}/iam/me`, accessToken),
        await getWith(`${world.url}/iam/admin/users`, accessToken),
        await getWith(`${world.url}/iam/userinfo`, accessToken),
      ];

      expect([online.json()['refresh_token'], typeof granted.json()['refresh_token']]).toEqual([
        undefined,
        'string',
      ]);
      expect(claimsOf(accessToken)).toMatchObject({
        aud: `${world.url}/iam/userinfo`,
        client_id: id,
        roles: [],
      });
      expect(replies.map(({ status }) => status)).toEqual([401, 401, 200]);
    });

    it('and the next refresh token with an access token of less scope, since the old one is spent', async () => {
      const id = await parties.register();
      const granted = await parties.tokens(id, await parties.agree(id, person()));

      const narrowed = await parties.refresh(id, granted.json()['refresh_token'], 'openid');
      const later = await parties.refresh(id, narrowed.json()['refresh_token']);
      await admin.patch(`clients/${id}`, { scopes: ['openid', 'profile'] });
      const last = await parties.refresh(id, later.json()['refresh_token']);

      expect([narrowed, later].map((reply) => [reply.status, reply.json()['scope']])).toEqual([
        [200, 'openid'],
        [200, 'openid profile offline_access'],
      ]);
      // Until the application may have none.
      expect([last.status, last.json()['refresh_token']]).toEqual([200, undefined]);
    });

    it('for a resource that the person let it use, and yet not for what is theirs alone', async () => {
      const who = person();
      const user = await onPc(world, who);
      const id = await parties.register({ resources: [here] });
      const signIn = await returnFromPc(world, who, { client_id: id, scope: 'openid', resource: here });
      const page = await openConsent(signIn);
      const returned = await decide(signIn, page, 'confirm');
      const accessToken = String((await parties.tokens(id, { ...signIn, returned })).json()['access_token']);
      await admin.post('roles', { name: 'chief', permissions: ['iam:*'] });
      await admin.request('PUT', `users/${user.id}/roles/chief`);

      const [me, users] = [
        await getWith(`${world.url}/iam/me`, accessToken),
        await getWith(`${world.url}/iam/admin/users`, accessToken),
      ];
      const caller = await world.app.get(Authentication).authenticate(accessToken, { mustLive: true });
      const req = { method: 'GET', url: '/orders', headers: { authorization: `Bearer ${accessToken}` } };
      const call = new ExecutionContextHost([undefined, {}, { req }, {}], Orders, Orders.prototype.list);
      call.setType('graphql');

      expect(await world.app.get(IamGuard).canActivate(call)).toBe(true);
      expect(page.text).toContain(`代表您访问 ${here}`);
      expect(claimsOf(accessToken)['aud']).toBe(here);
      expect([outcome(me), outcome(users)]).toEqual([
        [403, 'first_party_required'],
        [403, 'first_party_required'],
      ]);
      expect(caller).toMatchObject({ isThirdParty: true, roles: [] });
    });
  });

  describe('knows people by pairwise subjects', () => {
    const at = (host: string, path = '/back') => ({ redirect_uris: [`https://${host}${path}`] });
    const pairwise = async (members: Readonly<Record<string, unknown>>) => {
      const id = await parties.register({ subject_type: 'pairwise', ...members });
      const client = world.app.get(ClientRegistry).find(id);
      if (client === undefined) throw new Error(`${id} is not in memory`);
      return client;
    };

    it('in every token, while the guard and userinfo find the user', async () => {
      const who = person();
      const me = await onPc(world, who);
      const id = await parties.register({ subject_type: 'pairwise' });

      const granted = await parties.tokens(id, await parties.agree(id, who));
      const accessToken = String(granted.json()['access_token']);
      const told = await getWith(`${world.url}/iam/userinfo`, accessToken);

      const { sub } = claimsOf(granted.json()['id_token']);
      expect(sub).toMatch(/^[\w-]{22}$/);
      expect([claimsOf(accessToken)['sub'], told.json()['sub']]).toEqual([sub, sub]);
      expect(await world.app.get(AccessTokens).verifyForAny(accessToken)).toMatchObject({ userId: me.id });
    });

    it('that only applications of one host share, and that lead back to the user', async () => {
      const subjects = world.app.get(SubjectIdentifiers);
      const [one, same, other] = [
        await pairwise(at('one.example.com')),
        await pairwise(at('one.example.com', '/elsewhere')),
        await pairwise(at('other.example.com')),
      ];
      const [lan, ming] = [randomUUID(), randomUUID()];

      const [first, second, third, fourth] = [
        await subjects.of(lan, one),
        await subjects.of(lan, same),
        await subjects.of(lan, other),
        await subjects.of(ming, one),
      ];

      expect(first).toBe(second);
      expect(new Set([first, third, fourth]).size).toBe(3);
      expect([await subjects.userOf(first, one), await subjects.userOf(lan, one)]).toEqual([lan, lan]);
      expect(await subjects.userOf(first, other)).not.toBe(lan);
      expect([await subjects.userOf('x', one), await subjects.userOf(first, undefined)]).toEqual([
        null,
        null,
      ]);
    });

    it('that hosts share whose document lists all of their redirect URIs', async () => {
      const documents: Readonly<Record<string, string>> = {
        '/all': JSON.stringify(['https://a.example.com/back', 'https://b.example.com/back']),
        '/one': JSON.stringify(['https://a.example.com/back']),
        '/none': '{}',
      };
      const server = createServer(({ url = '' }, response) => {
        response.writeHead(documents[url] === undefined ? 404 : 200).end(documents[url]);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
      const at = (path: string, host: string) => ({
        id: `sector-${host}`,
        first_party: false,
        subject_type: 'pairwise',
        sector_identifier_uri: `${base}${path}`,
        redirect_uris: [`https://${host}.example.com/back`],
      });

      const refused = [];
      for (const path of ['/one', '/none', '/missing'])
        refused.push(await admin.post('clients', at(path, 'b')));
      const made = [
        await admin.post('clients', at('/all', 'a')),
        await admin.post('clients', at('/all', 'b')),
      ];
      const moved = await admin.patch('clients/sector-a', { redirect_uris: ['https://c.example.com/back'] });
      server.close();

      const subjects = world.app.get(SubjectIdentifiers);
      const user = randomUUID();
      const [first, second] = ['sector-a', 'sector-b'].map((id) => {
        const client = world.app.get(ClientRegistry).find(id);
        return client === undefined ? null : subjects.of(user, client);
      });
      expect([...refused, moved].map(({ status, code }) => [status, code])).toEqual(
        Array.from({ length: 4 }, () => [400, 'invalid_request']),
      );
      expect(made.map(({ status }) => status)).toEqual([201, 201]);
      expect(await first).toMatch(/^[\w-]{22}$/);
      expect(await first).toBe(await second);
    });

    it('that stay when the keys of the host change', async () => {
      const client = await pairwise(at('kept.example.com'));
      const user = randomUUID();
      const subjectAt = ({ app }: Pick<IamApp, 'app'>) => app.get(SubjectIdentifiers).of(user, client);
      const before = await subjectAt(world);
      const newKey = testKey();

      const rotating = await startReplica(world, { options: { keys: [newKey, world.key] } });
      const during = await subjectAt(rotating);
      const { subject_secrets: moved } = await rotating.app.get(Reencryption).run();
      await rotating.close();
      const rotated = await startReplica(world, { options: { keys: [newKey] } });
      const after = await subjectAt(rotated);
      await rotated.close();

      expect(moved).toBe(1);
      expect([during, after]).toEqual([before, before]);
    });
  });

  it('has no grants, cookies and kinds of subjects that only others may have, says the database too', async () => {
    const kinds = [
      { first_party: false },
      { first_party: false, grants: ['urn:wechat:grant:mini_program'], redirect_uris: [] },
      { first_party: false, tokens: 'cookie' },
      { first_party: true, subject_type: 'pairwise' },
      {
        first_party: false,
        subject_type: 'pairwise',
        redirect_uris: ['https://a.example.com/x', 'https://b.example.com/x'],
      },
    ];

    const replies = [];
    for (const kind of kinds)
      replies.push(
        await admin.post('clients', { id: 'kind', redirect_uris: ['https://a.example.com/'], ...kind }),
      );
    const byHand = ['tokens', 'subject_type'].map((column) => {
      const [value, first] = column === 'tokens' ? ['cookie', false] : ['pairwise', true];
      const insert = `INSERT INTO iam.clients (id, name, first_party, ${column}) VALUES ('hand', 'x', $1, $2)`;
      return world.dataSource.query(insert, [first, value]).catch((error: unknown) => String(error));
    });

    expect(replies.map(({ status, code }) => [status, code])).toEqual([
      [201, undefined],
      ...Array.from({ length: 4 }, () => [400, 'invalid_request']),
    ]);
    expect(await Promise.all(byHand)).toEqual([
      expect.stringContaining('clients_third_party_check'),
      expect.stringContaining('clients_pairwise_check'),
    ]);
  });
});
