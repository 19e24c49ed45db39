import { decodeJwt } from 'jose';
import { AdminClient, adminOptions, signedInWithRoles } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { MachineHost, OrdersModule, outcome } from '../support/machines.js';
import { countQueries, type QueryCounter } from '../support/query-counter.js';
import { valueOf } from '../support/rows.js';
import { proof, type ServerKey, serverKey, startKeyServer } from '../support/server-client.js';
import { revoke } from '../support/signed-in.js';

let world: World;
let host: MachineHost;
let queries: QueryCounter;

beforeAll(async () => {
  world = await startWorld({ options: adminOptions, imports: [OrdersModule] });
  host = new MachineHost(world.url);
  await host.makeRoles();
  queries = countQueries(world.database.url);
});
afterAll(async () => {
  queries.stop();
  await world.close();
});

describe('a service', () => {
  it('gets tokens by its secret, without a session or a statement, for what its roles permit', async () => {
    const { id, credentials } = await host.service();
    const before = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions');
    await host.requestToken(credentials);
    const start = queries.mark();

    const reply = await host.requestToken(credentials);
    const sent = queries.since(start);
    const { access_token: token, ...rest } = reply.json();
    const here = await host.get('orders/refund', String(token));

    expect([reply.status, rest]).toEqual([200, { token_type: 'Bearer', expires_in: 900 }]);
    expect(sent).toEqual([]);
    expect(decodeJwt(String(token))).toMatchObject({ sub: id, client_id: id, roles: ['clerk'] });
    expect(decodeJwt(String(token))).not.toHaveProperty('sid');
    expect(here.json()).toEqual({ kind: 'service', id, clientId: id, roles: ['clerk'] });
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions')).toBe(before);
  });

  it('may name the scope of its roles, and none that is about a person', async () => {
    const { credentials } = await host.service();

    const named = await host.requestToken({ ...credentials, scope: 'roles' });
    const refused = await Promise.all(
      ['openid', 'roles offline_access', 'profile', 'orders'].map((scope) =>
        host.requestToken({ ...credentials, scope }),
      ),
    );

    expect([named.status, named.json()['scope']]).toEqual([200, 'roles']);
    expect(decodeJwt(String(named.json()['access_token']))).toMatchObject({ scope: 'roles' });
    expect(refused.map(outcome)).toEqual(refused.map(() => [400, 'invalid_scope']));
  });

  it('is refused with a wrong secret or none, and nobody else gets tokens in this way', async () => {
    const { id } = await host.service();
    await host.admin.post('clients', {
      id: 'a-server',
      type: 'confidential',
      redirect_uris: [`${world.url}/back`],
    });
    const rotated = await host.admin.post('clients/a-server/rotate', {}, '*');

    const replies = [
      await host.requestToken({ client_id: id, client_secret: 'iamcs_wrong' }),
      await host.requestToken({ client_id: id }),
      await host.requestToken({ client_id: 'web' }),
      await host.requestToken({ client_id: 'a-server', client_secret: String(rotated.json()['secret']) }),
    ];

    expect(replies.map(outcome)).toEqual([
      [401, 'invalid_client'],
      [401, 'invalid_client'],
      [400, 'unauthorized_client'],
      [400, 'unauthorized_client'],
    ]);
  });

  it('is refused where a person is needed, and where a handler requires no right of it', async () => {
    const { credentials } = await host.service();
    const token = await host.tokenOf(credentials);

    const refused = await Promise.all(
      ['iam/me', 'iam/me/api_keys', 'iam/userinfo', 'orders', 'orders/optional', 'orders/recent'].map(
        (path) => host.outcome(path, token),
      ),
    );
    const revoked = await revoke(world.url, token, credentials);

    expect(refused).toEqual(refused.map(() => [403, 'person_required']));
    expect(await host.outcome('orders/any', token)).toEqual([200, null]);
    expect(await host.outcome('orders/clerks', token)).toEqual([200, null]);
    expect(outcome(revoked)).toEqual([400, 'unsupported_token_type']);
  });

  it('loses its tokens when it is disabled or deleted, with the secret that got them, and rights with a role', async () => {
    const [disabled, removed, rotated, bare] = [
      await host.service(),
      await host.service(),
      await host.service(),
      await host.service(),
    ];
    const tokens = await Promise.all(
      [disabled, removed, rotated, bare].map(({ credentials }) => host.tokenOf(credentials)),
    );
    const codes = () =>
      Promise.all(tokens.map(async (token) => (await host.outcome('orders/refund', token))[1]));
    const before = await codes();

    await host.admin.patch(`clients/${disabled.id}`, { enabled: false });
    await host.admin.delete(`clients/${removed.id}`);
    await host.admin.post('clients', { id: removed.id, type: 'service', roles: ['clerk'] });
    const { secret } = (await host.admin.post(`clients/${rotated.id}/rotate`, {}, '*')).json();
    await host.admin.patch(`clients/${bare.id}`, { roles: [] });
    const changed = await codes();
    const fresh = await host.tokenOf({ client_id: rotated.id, client_secret: String(secret) });
    await host.admin.delete(`clients/${rotated.id}/previous_secret`);
    const cleared = await codes();

    expect(before).toEqual([null, null, null, null]);
    expect(changed).toEqual(['invalid_token', 'invalid_token', null, 'insufficient_permissions']);
    expect(cleared[2]).toBe('invalid_token');
    expect(await host.outcome('orders/refund', fresh)).toEqual([200, null]);
  });

  it('keeps a token while the key that signed for it stands among its keys, whatever stands beside it', async () => {
    const { id } = await host.service();
    const [old, next] = [await serverKey('RS256'), await serverKey()];
    const namesake = await serverKey('RS256', old.jwk.kid);
    const use = (...keys: readonly ServerKey[]) =>
      host.admin.patch(`clients/${id}`, { jwks: { keys: keys.map(({ jwk }) => jwk) } });
    const tokenBy = async (key: ServerKey) => host.tokenOf(await proof(id, world.url, key));
    const code = async (token: string) => (await host.outcome('orders/refund', token))[1];

    await use(old);
    const first = await tokenBy(old);
    await use(old, next);
    const second = await tokenBy(next);
    const beside = [await code(first), await code(second)];
    await use(next);
    const alone = [await code(first), await code(second)];
    await use(namesake, next);
    const replaced = [await code(first), await code(second)];

    expect(beside).toEqual([null, null]);
    expect(alone).toEqual(['invalid_token', null]);
    expect(replaced).toEqual(['invalid_token', null]);
  });

  it('keeps a token while its keys are at the same address, whichever they are', async () => {
    const keys = await startKeyServer();
    const { id } = await host.service();
    const key = await serverKey();
    keys.respond(JSON.stringify({ keys: [key.jwk] }));
    await host.admin.patch(`clients/${id}`, { jwks_uri: keys.url });
    const token = await host.tokenOf(await proof(id, world.url, key));
    keys.respond(JSON.stringify({ keys: [] }));

    const before = await host.outcome('orders/refund', token);
    await host.admin.patch(`clients/${id}`, { jwks_uri: `${keys.url}?moved` });
    const after = await host.outcome('orders/refund', token);
    await keys.close();

    expect([before, after]).toEqual([
      [200, null],
      [401, 'invalid_token'],
    ]);
  });

  it('has roles that exist, which cannot be deleted meanwhile, and nothing of an application for people', async () => {
    const { id } = await host.service(['clerk']);
    const uuid = '0198c0de-0000-7000-8000-0000000000aa';
    const bad = { id: 'bad', type: 'service' };

    const replies = [
      await host.admin.post('clients', { ...bad, roles: ['nobody-knows'] }),
      await host.admin.post('clients', { ...bad, redirect_uris: [`${world.url}/back`] }),
      await host.admin.post('clients', { ...bad, grants: ['refresh_token'] }),
      await host.admin.post('clients', { ...bad, tokens: 'cookie' }),
      await host.admin.post('clients', { ...bad, id: uuid }),
      await host.admin.post('clients', { ...bad, type: 'public', grants: ['client_credentials'] }),
      await host.admin.post('clients', {
        ...bad,
        type: 'public',
        redirect_uris: [world.url],
        roles: ['clerk'],
      }),
      await host.admin.patch(`clients/${id}`, { roles: ['clerk', 'nobody-knows'] }),
      await host.admin.delete('roles/clerk'),
    ];

    expect(replies.map(({ status, code }) => [status, code])).toEqual([
      ...Array<unknown>(8).fill([400, 'invalid_request']),
      [409, 'in_use'],
    ]);
  });

  it('is registered, changed and given a secret only by who may do all that it may', async () => {
    const { id } = await host.service();
    const permissions = ['iam:clients:*', 'iam:api_keys:*'];
    await host.admin.post('roles', { name: 'registrar', permissions });
    const registrar = new AdminClient(world.url, (await signedInWithRoles(world, ['registrar'])).accessToken);

    const refused = [
      await registrar.post('clients', { id: 'mine', type: 'service', roles: ['clerk'] }),
      await registrar.patch(`clients/${id}`, { enabled: false }),
      await registrar.post(`clients/${id}/rotate`, {}, '*'),
      await registrar.delete(`clients/${id}`),
      await registrar.post('api_keys', { client_id: id, name: 'mine', permissions: ['orders:refund'] }),
    ];
    const own = await registrar.post('clients', { id: 'mine', type: 'service', roles: ['registrar'] });

    expect(refused.map(({ status, code }) => [status, code])).toEqual(
      refused.map(() => [403, 'insufficient_permissions']),
    );
    expect(own.status).toBe(201);
  });

  it('uses the admin API by its permissions, and the audit log names it', async () => {
    await host.admin.post('roles', { name: 'role-keeper', permissions: ['iam:roles:*', 'orders:refund'] });
    const { id, credentials } = await host.service(['role-keeper']);
    const machine = new AdminClient(world.url, await host.tokenOf(credentials));

    const access = await machine.get('access');
    const created = await machine.post('roles', { name: 'by-machine', permissions: ['orders:refund'] });
    const beyond = await machine.post('roles', { name: 'beyond', permissions: ['orders:read'] });
    const forbidden = await machine.get('users');

    expect(access.json()).toEqual({ actor: 'service', permissions: ['iam:roles:read', 'iam:roles:write'] });
    expect([created.status, beyond.code, forbidden.code]).toEqual([
      201,
      'insufficient_permissions',
      'insufficient_permissions',
    ]);
    const sql = `SELECT actor FROM iam.audit_log WHERE action = 'role.created' AND detail->>'role' = 'by-machine'`;
    expect(await valueOf(world.dataSource, sql)).toBe(`client:${id}`);
  });
});
