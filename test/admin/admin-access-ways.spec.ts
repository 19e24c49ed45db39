import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { decodeJwt } from 'jose';
import { of } from 'rxjs';
import { AdminGuard } from '../../src/admin/admin.guard.js';
import { Endpoint } from '../../src/http/endpoint.decorator.js';
import { UserRoles } from '../../src/roles/user-roles.service.js';
import { addApps } from '../support/account.js';
import {
  AdminClient,
  adminOptions,
  adminToken,
  adminWithPermissions,
  signedInWithPermissions,
} from '../support/admin.js';
import { askForQrCode, pollUntilSettled, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { codesOf, leavePage, openLinkPage, redeemFromPage, startOnPage } from '../support/follow-page.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { answerQuestion, scanPageCode, showPageCode, startPageWorld } from '../support/page-qr.js';
import { PcBrowser } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { countWaiting, valueOf } from '../support/rows.js';
import { toTokens } from '../support/sign-in.js';
import { refresh } from '../support/signed-in.js';
import { until } from '../support/until.js';

/** A guard as a host has one: by a header that its own infrastructure sets. */
@Injectable()
class OfficeGuard implements CanActivate {
  canActivate(context: ExecutionContext) {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    const verdict = request.headers['x-office'];
    if (verdict === 'throws') throw new Error('the directory does not answer');
    if (verdict === 'rejects') return Promise.reject(new Error('the directory does not answer'));
    if (verdict === 'truthy') return 'no' as unknown as boolean;
    if (verdict === 'observable') return of(true);
    return verdict === 'admits';
  }
}

describe.each(platforms)('the admin API on %s', (_host, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions, globalGuard: true, create });
  });
  afterAll(() => world.close());

  it('opens to the admin token, also where the module guards every route of the host', async () => {
    const replies = await Promise.all([
      new AdminClient(world.url).get('permissions'),
      new AdminClient(world.url, null).get('permissions', { authorization: `bearer   ${adminToken}  ` }),
    ]);

    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    expect(replies[0].items()).toContainEqual({
      name: 'iam:roles:read',
      meaning: 'See roles and what they permit',
    });
  });

  it.each([
    ['its beginning', adminToken.slice(0, -1)],
    ['more than it', `${adminToken}x`],
    ['another case', adminToken.toUpperCase()],
    ['the empty text', ''],
    ['another one', 'x'.repeat(adminToken.length)],
  ])('does not open to %s', async (_case, token) => {
    const reply = await new AdminClient(world.url, token).get('permissions');

    expect(reply.status).toBe(401);
    expect(reply.text).not.toContain(adminToken.slice(0, 10));
  });

  it('looks for the token in the Authorization header alone', async () => {
    const stranger = new AdminClient(world.url, null);

    const replies = [
      await stranger.get(`permissions?access_token=${adminToken}&token=${adminToken}`),
      await stranger.get('permissions', { cookie: `token=${adminToken}`, 'x-admin-token': adminToken }),
      await stranger.get('permissions', { authorization: `Basic ${adminToken}` }),
      await stranger.post('roles', { access_token: adminToken, name: 'x' }),
    ];

    expect(replies.map(({ status, code }) => [status, code])).toEqual(
      replies.map(() => [401, 'authentication_required']),
    );
  });

  it.each([
    [['iam:roles:read'], 200],
    [['iam:roles:*'], 200],
    [['iam:*'], 200],
    [['*'], 200],
    [['iam:roles:write'], 403],
    [['iam:roles'], 403],
    [['iam:users:*', 'roles:read'], 403],
    [[], 403],
  ])('answers who holds %j with %i', async (held, status) => {
    expect((await (await adminWithPermissions(world, ...held)).get('permissions')).status).toBe(status);
  });

  it('writes who acts into the audit log', async () => {
    const { id, accessToken } = await signedInWithPermissions(world, ['*']);

    await new AdminClient(world.url, accessToken).post('roles', { name: 'by-user' });
    await new AdminClient(world.url).post('roles', { name: 'by-token' });

    const actorOf = (role: string) =>
      valueOf(
        world.dataSource,
        `SELECT actor FROM iam.audit_log WHERE action = 'role.created' AND detail->>'role' = $1`,
        [role],
      );
    expect([await actorOf('by-user'), await actorOf('by-token')]).toEqual([`user:${id}`, 'admin_token']);
  });
});

describe('the admin API behind a guard of the host', () => {
  let world: World;
  let stranger: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: { admin: { guard: OfficeGuard } } });
    stranger = new AdminClient(world.url, null);
  });
  afterAll(() => world.close());

  it.each(['admits', 'observable'])(
    'opens to whom it admits (%s), who may hand out everything',
    async (office) => {
      const headers = { 'x-office': office };
      const created = await stranger.request('POST', 'roles', {
        body: { name: office, permissions: ['*'] },
        headers,
      });

      expect(created.status).toBe(201);
      expect(
        await valueOf(
          world.dataSource,
          `SELECT actor FROM iam.audit_log WHERE action = 'role.created' AND detail->>'role' = $1`,
          [office],
        ),
      ).toBe('host');
    },
  );

  it.each(['refuses', 'throws', 'rejects', 'truthy'])(
    'stays shut to a stranger whom it does not admit (%s), and open to a user with the permission',
    async (office) => {
      const headers = { 'x-office': office };
      const permitted = await adminWithPermissions(world, 'iam:roles:read');
      const others = await adminWithPermissions(world, 'iam:users:read');

      const replies = [
        await stranger.get('roles', headers),
        await others.get('roles', headers),
        await permitted.get('roles', headers),
      ];

      expect(replies.map(({ status }) => status)).toEqual([401, 403, 200]);
    },
  );

  it('knows no token where none was configured', async () => {
    const replies = await Promise.all(
      ['undefined', 'null', '', adminToken].map((token) => new AdminClient(world.url, token).get('roles')),
    );

    expect(replies.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
  });
});

class Forgotten {
  @Endpoint({ summary: 'A route whose permission was forgotten', responses: { 204: null } })
  withoutPermission(): void {
    return;
  }

  withoutDescription(): void {
    return;
  }
}

describe('an admin route that names no permission', () => {
  it.each(['withoutPermission', 'withoutDescription'] as const)(
    'is closed to everybody, the admin token included (%s)',
    async (name) => {
      const world = await startWorld({ options: adminOptions });
      const guard = world.app.get(AdminGuard);
      const request = { headers: { authorization: `Bearer ${adminToken}` }, url: '/iam/admin/forgotten' };
      const context = new ExecutionContextHost([request, {}], Forgotten, Forgotten.prototype[name]);

      const verdict = guard.canActivate(context);

      await expect(verdict).rejects.toMatchObject({ code: 'insufficient_permissions' });
      await world.close();
    },
  );
});

describe('sessions that began by scanning with another device', () => {
  it.each([
    ['allow', 200],
    ['refuse', 403],
  ] as const)('are, by the option "%s", answered with %i', async (crossDeviceSessions, status) => {
    const world = await startFollowWorld(
      { qr_confirmation: 'none' },
      { options: { admin: { crossDeviceSessions } } },
    );
    await world.dataSource.query(
      `INSERT INTO iam.roles (name, permissions, is_default) VALUES ('boss', '{*}', true)`,
    );
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, world.wechat.person({ nickname: '小兰' }), device.qr);
    const first = toTokens(await pollUntilSettled(world.url, device));
    const refreshed = toTokens(await refresh(world.url, first.refreshToken));

    const statuses = await Promise.all(
      [first, refreshed].map(
        async ({ accessToken }) => (await new AdminClient(world.url, accessToken).get('permissions')).status,
      ),
    );
    await world.close();

    expect(statuses).toEqual([status, status]);
  });

  it('are refused too where a page in WeChat let them in', async () => {
    const world = await startPageWorld({ options: { admin: { crossDeviceSessions: 'refuse' } } });
    await world.dataSource.query(
      `INSERT INTO iam.roles (name, permissions, is_default) VALUES ('boss', '{*}', true), ('clerk', '{orders:*}', true)`,
    );
    const apps = await addApps(world);
    const roles = world.app.get(UserRoles, { strict: false });
    const newPerson = () => world.wechat.person({ nickname: '小明' });
    const confirm = async (qr: string) => {
      const person = newPerson();
      await answerQuestion(person, await scanPageCode(person, qr), 'confirm');
    };
    const signIn = async () => {
      const { page, deviceCode, qr } = await showPageCode(world.url);
      await confirm(qr);
      const { accessToken } = toTokens(await redeemFromPage(page, await leavePage(page, deviceCode)));
      return { accessToken, userId: String(decodeJwt(accessToken).sub) };
    };
    const { accessToken } = await signIn();

    const { status } = await new AdminClient(world.url, accessToken).get('permissions');
    const post = (path: string, body: object, token = accessToken, browser = new PcBrowser()) =>
      browser.visit(`${world.url}/iam/me/${path}`, {
        method: 'POST',
        body: { ...body },
        headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
      });
    const byRedirect = { provider: 'wechat', redirect_uri: redirectUri(world.url) };
    const byCode = () => ({ provider: 'wechat', app: 'mini', code: newPerson().wxLogin(apps.mini) });
    const keys = [['*'], ['iam:*'], ['orders:read', 'iam:users:write'], ['orders:read']];
    const made = [];
    for (const permissions of keys)
      made.push((await post('api_keys', { name: 'script', permissions })).status);
    const links = [
      await post('identities/authorize', byRedirect),
      await post('identities', { binding_token: 'any' }),
      await post('identities', byCode()),
    ];
    await world.dataSource.query(`UPDATE iam.roles SET is_default = name = 'clerk'`);
    const clerk = await signIn();
    const browser = new PcBrowser();
    const ofClerk = await post('identities/authorize', byRedirect, clerk.accessToken, browser);
    const page = await openLinkPage(world.url, browser, ofClerk);
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    await confirm(qr);
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await roles.assign(runner.manager, clerk.userId, 'boss');
    const leaving = leavePage(page, deviceCode);
    await until('it waits for the role', async () => (await countWaiting(world.dataSource)) === 1);
    await runner.commitTransaction();
    await runner.release();
    const returned = (await leaving).searchParams;
    await roles.remove(world.dataSource, clerk.userId, 'boss');
    const justBefore = await post('identities', byCode(), clerk.accessToken);
    const ofOther = await post('identities', byCode(), (await signIn()).accessToken);
    await world.close();

    expect(status).toBe(403);
    // A key is no session: it would go on where this one is refused. So would a session that begins by another identity.
    expect(made).toEqual([403, 403, 403, 201]);
    expect(links.map((each) => each.status)).toEqual([403, 403, 403]);
    // The role was given on the way, after the access token, and counts for a day.
    expect(returned.get('error')).toBe('insufficient_scope');
    expect([justBefore.status, ofOther.status]).toEqual([403, 201]);
  });
});
