import { inspect } from 'node:util';
import type { Fault } from '../../../emulator/index.js';
import { PassportHost, plantedSecret } from './passport-host.js';

const exchangePath = '/sns/oauth2/access_token';
const userinfoPath = '/sns/userinfo';

let host: PassportHost;

beforeAll(async () => {
  host = await PassportHost.start({}, 1000);
});

beforeEach(() => {
  host.wechat.clearCalls();
  host.wechat.clearFaults();
  host.verified.length = 0;
  host.errors.length = 0;
});

afterAll(async () => {
  await host.stop();
});

const somebody = () => host.wechat.person({ nickname: '小兰' });

/** Everything a careless logger could print of the errors so far. */
function printed(): string {
  const chain = host.errors.flatMap((error) =>
    error instanceof Error ? [error, error.cause, error.stack] : [error],
  );
  return [
    inspect(chain, { depth: 20, showHidden: true }),
    JSON.stringify(host.errors),
    chain.map(String).join(),
  ].join();
}

function expectNoSecret(code: string): void {
  for (const planted of [plantedSecret, code, 'access_token=', 'secret=', 'refresh_token=']) {
    expect(printed()).not.toContain(planted);
  }
}

describe('an exchange that fails', () => {
  it.each<[string, Fault, string]>([
    ['an errcode with HTTP 200', { errcode: 40029, errmsg: 'invalid code' }, 'wechat_code_invalid'],
    ['a used code', { errcode: 40163, errmsg: 'code been used' }, 'wechat_code_invalid'],
    ['a wrong secret', { errcode: 40125, errmsg: 'invalid appsecret' }, 'wechat_credentials_rejected'],
    ['a blocked person', { errcode: 40226, errmsg: 'code blocked' }, 'wechat_user_restricted'],
    ['a busy WeChat', { errcode: -1, errmsg: 'system error' }, 'wechat_unavailable'],
    ['a minute quota', { errcode: 45011 }, 'wechat_quota_exceeded'],
    ['the string "0"', { body: '{"errcode":"0"}' }, 'wechat_answer_invalid'],
    ['no bytes', { delay: 2000 }, 'wechat_unavailable'],
    ['a slow drip', { drip: 100 }, 'wechat_unavailable'],
    ['a dropped connection', { drop: true }, 'wechat_unavailable'],
    ['a dropped answer after the code was used', { drop: true, afterConsuming: true }, 'wechat_unavailable'],
    ['a body cut short', { truncate: 20 }, 'wechat_unavailable'],
    ['an empty body', { body: '' }, 'wechat_unavailable'],
    ['an HTML 502', { status: 502 }, 'wechat_unavailable'],
    ['no openid', { remove: ['openid'] }, 'wechat_answer_invalid'],
    ['openid null', { patch: { openid: null } }, 'wechat_answer_invalid'],
    ['openid as an array', { patch: { openid: ['a'] } }, 'wechat_answer_invalid'],
    ['openid with NUL', { patch: { openid: 'a\u0000b' } }, 'wechat_answer_invalid'],
    ['unionid as a number', { patch: { unionid: 7 } }, 'wechat_answer_invalid'],
    ['a snapshot as 1', { patch: { is_snapshotuser: 1 } }, 'snapshot_user'],
    ['a snapshot as "1"', { patch: { is_snapshotuser: '1' } }, 'snapshot_user'],
    ['a snapshot as true', { patch: { is_snapshotuser: true } }, 'snapshot_user'],
  ])('is an IamError and signs nobody in: %s', async (_kind, fault, code) => {
    const { browser, callback } = await host.scan(somebody());
    host.wechat.once(exchangePath, fault);

    const reply = await browser.visit(callback);

    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(host.errors).toEqual([expect.objectContaining({ code })]);
    expect(host.verified).toEqual([]);
    expect(host.wechat.calls(exchangePath)).toHaveLength(1);
    expect(host.wechat.calls(userinfoPath)).toHaveLength(0);
    expectNoSecret(callback.searchParams.get('code') ?? '');
  });
});

describe('a profile that cannot be had', () => {
  it.each<[string, Fault, string]>([
    ['an errcode with HTTP 200', { errcode: 40001, errmsg: 'invalid credential' }, 'wechat_code_invalid'],
    ['no permission', { errcode: 48001, errmsg: 'api unauthorized' }, 'wechat_permission_missing'],
    ['another person’s openid', { patch: { openid: 'oSomebodyElse' } }, 'wechat_answer_invalid'],
    ['another person’s unionid', { patch: { unionid: 'uSomebodyElse' } }, 'wechat_answer_invalid'],
    ['no openid', { remove: ['openid'] }, 'wechat_answer_invalid'],
    ['silence', { delay: 2000 }, 'wechat_unavailable'],
    ['truncated JSON twice', { truncate: 30 }, 'wechat_unavailable'],
  ])('signs nobody in: %s', async (_kind, fault, code) => {
    const { browser, callback } = await host.scan(somebody());
    host.wechat.always(userinfoPath, fault);

    await browser.visit(callback);

    expect(host.errors).toEqual([expect.objectContaining({ code })]);
    expect(host.verified).toEqual([]);
    expectNoSecret(callback.searchParams.get('code') ?? '');
  });

  it('is asked for a second time when WeChat is busy', async () => {
    host.wechat.once(userinfoPath, { errcode: -1 });

    expect((await host.signInOnPc(somebody())).status).toBe(200);
    expect(host.wechat.calls(userinfoPath)).toHaveLength(2);
  });
});

describe('a profile that is odd', () => {
  it.each<[string, Fault, string]>([
    ['a nickname of 1 MB', { patch: { nickname: 'x'.repeat(1_000_000) } }, 'x'.repeat(64)],
    ['raw control characters', { patch: { nickname: 'a\u0001b\nc' }, rawControls: true }, 'abc'],
    ['NUL and reordering', { patch: { nickname: 'a\u0000\u202eb' } }, 'ab'],
    ['markup', { patch: { nickname: '<img src=x onerror=alert(1)>' } }, '<img src=x onerror=alert(1)>'],
    ['no nickname', { remove: ['nickname'] }, ''],
    ['a nickname of a wrong type', { patch: { nickname: { a: 1 } } }, ''],
  ])('still signs the person in: %s', async (_kind, fault, displayName) => {
    host.wechat.once(userinfoPath, fault);

    const reply = await host.signInOnPc(somebody());

    expect(reply.json()).toMatchObject({ displayName });
  });

  it('drops an avatar that is no https address', async () => {
    host.wechat.once(userinfoPath, { patch: { headimgurl: 'javascript:alert(1)' } });

    expect((await host.signInOnPc(somebody())).json()).toMatchObject({ photos: [] });
  });

  it('is asked for when the answer names no scope', async () => {
    host.wechat.once(exchangePath, { remove: ['scope'] });

    expect((await host.signInOnPc(somebody())).json()).toMatchObject({ displayName: '小兰', loaded: true });
  });

  it('does without a unionid', async () => {
    host.wechat.once(exchangePath, { remove: ['unionid'] });
    host.wechat.once(userinfoPath, { remove: ['unionid'] });

    const profile = (await host.signInOnPc(somebody())).json();

    expect(profile).not.toHaveProperty('unionid');
    expect(profile['id']).toMatch(new RegExp(`^${host.site.appid}:`));
  });

  it('takes a unionid that only the profile shows', async () => {
    host.wechat.once(exchangePath, { remove: ['unionid'] });

    expect((await host.signInOnPc(somebody())).json()).toHaveProperty('unionid');
  });
});
