import type { Person } from '../../emulator/index.js';
import { LoginWatch } from '../../src/qr-login/login-watch.service.js';
import {
  askForQrCode,
  confirmLink,
  decideOnPhone,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { Visitor } from '../support/device-page.js';
import type { World } from '../support/iam-app.js';
import { fieldOf, PcBrowser, userAgents } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { until } from '../support/until.js';

const hostileAgent = '<img src=x onerror=alert(1)> "\'&{{7*7}} Mozilla/5.0 (Windows NT 10.0) Chrome/1';

describe('the page on the phone', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld(
      { qr_confirmation: 'tap' },
      {
        options: {
          siteName: '小店 & <script>',
          rateLimits: 'off',
          clients: [
            { id: 'orders', name: `订单 <b>\u202e「x」 & ${'长'.repeat(40)}`, redirectUris: [] },
            { id: 'address', name: 'http://a.b:c。d\uff0ee\uff61f：g／h', redirectUris: [] },
          ],
        },
      },
    );
  });
  afterAll(() => world.close());

  async function scanned(nickname: string, browser = new PcBrowser()) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url, browser);
    await scanAndFollow(world, person, device.qr);
    return { person, device, link: confirmLink(world, person) };
  }

  const statusOf = (link: string) =>
    valueOf(world.dataSource, `SELECT status FROM iam.logins WHERE id::text = split_part($1, '.', 2)`, [
      new URL(link).searchParams.get('login'),
    ]);
  const fieldsOf = (body: string) =>
    Object.fromEntries(
      [...body.matchAll(/type="hidden" name="(\w+)" value="([^"]+)"/g)].map(([, name = '', value = '']) => [
        name,
        value,
      ]),
    );
  const actionOf = (link: string) => link.replace(/\?.*$/, '');
  const post = (
    person: Person,
    link: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ) => person.post(actionOf(link), fields, { headers });

  it('says who asks: site, browser, address, time and the code that the PC shows', async () => {
    const { person, device, link } = await scanned('小兰');

    const page = await person.openInWechat(link);

    expect(page.status).toBe(200);
    expect(page.body).toContain('<html lang="zh-CN">');
    expect(page.body).toContain('小店 &#38; &#60;script&#62;');
    expect(page.body).toContain('Windows 上的 Chrome');
    expect(page.body).toMatch(/<dd>(127\.0\.0\.1|::1|::ffff:127\.0\.0\.1)<\/dd>/);
    expect(page.body).toMatch(new RegExp(`<dt>时间</dt><dd>${new Date().getFullYear()}年`));
    expect(page.body).toContain(`>${device.typedCode}</p>`);
    expect(page.body).not.toContain('name="number"');
  });

  it('says which application the scanner would sign in to, on the page and in the chat', async () => {
    const person = world.wechat.person({ nickname: '小兰' });
    const device = await new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
      form: { client_id: 'orders', provider: 'wechat' },
    });
    const typed = await new Visitor(world).type(String(device.json()['user_code']));
    await scanAndFollow(world, person, String(device.json()['verification_uri_complete']));
    const name = `订单 bx & ${'长'.repeat(24)}`;
    const chat = person.chat(world.oa).at(-1)?.text;
    const link = confirmLink(world, person);

    const zh = await person.openInWechat(link);
    const en = await person.openInWechat(link, { headers: { 'accept-language': 'en' } });
    const unnamed = await person.openInWechat((await scanned('小平')).link);

    expect(chat).toContain(`小店 & <script> 的「${name}」`);
    expect(chat).toContain(`to confirm or deny the sign-in to “${name}”.`);
    const inHtml = name.replace('&', '&#38;');
    expect(zh.body).toContain(`<h1>登录「${inHtml}」？</h1>`);
    expect(zh.body).toContain(`<dt>应用</dt><dd>${inHtml}</dd>`);
    expect(en.body).toContain(`<h1>Sign in to “${inHtml}”?</h1>`);
    expect(typed.text).toContain(`<dt>Application</dt><dd>${inHtml}</dd>`);
    expect(unnamed.body).not.toContain('<dt>应用</dt>');
  });

  it('keeps the name of an application from becoming a link in the chat', async () => {
    const person = world.wechat.person({ nickname: '小安' });
    const device = await new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
      form: { client_id: 'address', provider: 'wechat' },
    });

    await scanAndFollow(world, person, String(device.json()['verification_uri_complete']));

    expect(person.chat(world.oa).at(-1)?.text).toContain('sign-in to “http   a b c d e f g h”.');
  });

  it('speaks English to whoever reads English', async () => {
    const { person, link } = await scanned('Lan');

    const page = await person.openInWechat(link, { headers: { 'accept-language': 'en-US,en;q=0.9' } });

    expect(page.body).toContain('<html lang="en">');
    expect(page.body).toContain('Chrome on Windows');
  });

  it('offers to deny as plainly as to confirm', async () => {
    const { person, link } = await scanned('小平');

    const { body } = await person.openInWechat(link);
    const buttons = [...body.matchAll(/<(\w+) class="(yes|no)" name="decision" value="(confirm|deny)"/g)];
    const style = (name: string) => new RegExp(`\\.choice \\.${name} \\{([^}]*)\\}`).exec(body)?.[1] ?? name;
    const properties = (name: string) =>
      [...style(name).matchAll(/([\w-]+):/g)].map(([, property]) => property);

    expect(buttons.map(([, tag, , decision]) => `${tag ?? ''} ${decision ?? ''}`).sort()).toEqual([
      'button confirm',
      'button deny',
    ]);
    expect(properties('yes')).toEqual(properties('no'));
    expect(body).not.toContain('autofocus');
  });

  it('may be framed by nobody and loads nothing', async () => {
    const { person, link } = await scanned('小安');

    const page = await person.openInWechat(link);

    const policy = page.headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/script-src|unsafe|https?:/);
    expect(page.headers['cache-control']).toBe('no-store');
    expect(page.body).not.toContain('<script');
  });

  it('shows a hostile User-Agent and site as text, in words of its own', async () => {
    const { person, link } = await scanned('黑客', new PcBrowser(hostileAgent));

    const { body } = await person.openInWechat(link);

    expect(body).toContain('Windows 上的 Chrome');
    expect(body).not.toMatch(/onerror|<img|\{\{/);
  });

  it('is a notice outside WeChat, on a PC and to a curious phone', async () => {
    const { link } = await scanned('外面');

    const replies = await Promise.all(
      [userAgents.pc, userAgents.phone, userAgents.wecom].map((agent) => new PcBrowser(agent).visit(link)),
    );

    for (const reply of replies) {
      expect(reply.text).toContain('请在微信');
      expect(reply.headers.getSetCookie()).toEqual([]);
      expect(reply.text).not.toContain('<form');
    }
    expect(await statusOf(link)).toBe('scanned');
  });

  it('decides nothing on a GET or HEAD, by whatever scanner of links', async () => {
    const { person, link } = await scanned('链接');
    const opened = await person.openInWechat(link);
    const fields = fieldsOf(opened.body);
    const counter = countQueries(world.database.url);
    const scanner = new PcBrowser(userAgents.wechat);
    const tempting = `${link}&${new URLSearchParams({ ...fields, decision: 'confirm' }).toString()}`;

    await scanner.visit(link);
    await scanner.visit(link, { method: 'HEAD' });
    await scanner.visit(tempting, { method: 'HEAD' });
    await scanner.visit(tempting);
    await person.openInWechat(tempting);
    const writes = counter.since(0).filter((sql) => /\b(insert|update|delete)\b/i.test(sql));
    counter.stop();

    expect(writes).toEqual([]);
    expect(await statusOf(link)).toBe('scanned');
  });

  it('takes no decision without its CSRF token, with another login’s, or without the proof', async () => {
    const { person, link } = await scanned('一');
    const other = await scanned('二');
    const fields = fieldsOf((await person.openInWechat(link)).body);
    const foreign = fieldsOf((await other.person.openInWechat(other.link)).body);
    const decision = { decision: 'confirm' };

    const replies = [
      await post(person, link, { ...fields, ...decision, csrf: 'x' }),
      await post(person, link, { ...fields, ...decision, csrf: foreign['csrf'] ?? '' }),
      await post(other.person, link, { ...fields, ...decision }),
      await post(person, link, { ...fields, ...decision, login: foreign['login'] ?? '' }),
    ];
    const cookieless = await new PcBrowser(userAgents.wechat).visit(actionOf(link), {
      headers: { accept: 'application/json' },
      form: { login: fields['login'] ?? '', csrf: fields['csrf'] ?? '', decision: 'confirm' },
    });

    expect(replies.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect([cookieless.status, cookieless.json()['code']]).toEqual([403, 'origin_forbidden']);
    expect([await statusOf(link), await statusOf(other.link)]).toEqual(['scanned', 'scanned']);
  });

  it('takes no decision from another site, named or nameless', async () => {
    const { person, link } = await scanned('跨站');
    const fields = { ...fieldsOf((await person.openInWechat(link)).body), decision: 'confirm' };

    const evil = await post(person, link, fields, { origin: 'https://evil.example' });
    const nameless = await post(person, link, fields, { origin: 'null' });
    const before = await statusOf(link);
    const own = await post(person, link, fields);

    expect([evil.status, nameless.status, before]).toEqual([403, 403, 'scanned']);
    expect(own.body).toContain('已确认');
  });

  it('asks the browser to name the origin with the form, and nothing else of its address', async () => {
    const { person, link } = await scanned('来源');

    const page = await person.openInWechat(link);

    expect(page.headers['referrer-policy']).toBe('strict-origin');
  });

  it('keeps to the first decision', async () => {
    const denied = await scanned('先拒');
    const confirmed = await scanned('先认');
    const afterDenied = fieldsOf((await denied.person.openInWechat(denied.link)).body);
    const afterConfirmed = fieldsOf((await confirmed.person.openInWechat(confirmed.link)).body);

    await post(denied.person, denied.link, { ...afterDenied, decision: 'deny' });
    const late = await post(denied.person, denied.link, { ...afterDenied, decision: 'confirm' });
    await post(confirmed.person, confirmed.link, { ...afterConfirmed, decision: 'confirm' });
    const lateDenial = await post(confirmed.person, confirmed.link, { ...afterConfirmed, decision: 'deny' });

    expect(late.body).toContain('已拒绝');
    expect(lateDenial.body).toContain('已确认');
    expect([await statusOf(denied.link), await statusOf(confirmed.link)]).toEqual(['denied', 'confirmed']);
    expect((await pollUntilSettled(world.url, confirmed.device)).status).toBe(200);
    expect((await pollUntilSettled(world.url, denied.device)).json()['error']).toBe('access_denied');
  });

  it('tells a waiting browser nothing of a decision that came too late', async () => {
    const { person, link } = await scanned('太迟');
    const fields = fieldsOf((await person.openInWechat(link)).body);
    const [, loginId = ''] = (fields['login'] ?? '').split('.');
    const states: (string | undefined)[] = [];
    const stop = world.app.get(LoginWatch).listen(loginId, {
      next: (login) => states.push(login?.status),
      complete: () => undefined,
    });
    await world.app.get(LoginWatch).current(loginId);

    await world.dataSource.query(`UPDATE iam.logins SET status = 'denied' WHERE id = $1`, [loginId]);
    const late = await post(person, link, { ...fields, decision: 'confirm' });

    expect(late.body).toContain('已拒绝');
    await until('the browser is told of the denial', () => states.includes('denied'));
    stop();
    expect(states).toEqual(['scanned', 'denied']);
  });

  it('has one decision when both buttons are pressed at once', async () => {
    const { person, link } = await scanned('双手');
    const fields = fieldsOf((await person.openInWechat(link)).body);

    await Promise.all(
      ['confirm', 'deny', 'confirm', 'deny'].map((decision) => post(person, link, { ...fields, decision })),
    );
    const audited = await rowsOf(
      world.dataSource,
      `SELECT 1 FROM iam.audit_log WHERE action IN ('login.confirmed', 'login.denied') AND detail ->> 'openid' = $1`,
      [person.openid(world.oa)],
    );

    expect(audited).toHaveLength(1);
  });

  it('is over when the time is over', async () => {
    const { person, link } = await scanned('太晚');
    const fields = fieldsOf((await person.openInWechat(link)).body);
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE id::text = split_part($1, '.', 2)`,
      [fields['login']],
    );

    const answer = await post(person, link, { ...fields, decision: 'confirm' });
    const again = await person.openInWechat(link);

    expect([answer.body, again.body].every((body) => body.includes('已失效'))).toBe(true);
    expect(await statusOf(link)).toBe('scanned');
  });

  it('knows no invented login and no field out of place', async () => {
    const { person, link } = await scanned('乱填');
    const fields = fieldsOf((await person.openInWechat(link)).body);

    const invented = await person.openInWechat(link.replace(/.$/, 'x'));
    const missing = await person.openInWechat(actionOf(link));
    const elsewhere = await person.openInWechat(link.replace('/confirm/wechat', '/confirm/other'));
    const odd = await post(person, link, { ...fields, decision: 'maybe' });
    const oddState = await person.openInWechat(`${actionOf(link)}?state=x&code=y`);

    expect([invented.status, missing.status, elsewhere.status, odd.status, oddState.status]).toEqual([
      404, 404, 404, 400, 400,
    ]);
    expect(await statusOf(link)).toBe('scanned');
  });
});

describe('the page that asks for the number', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'number' });
  });
  afterAll(() => world.close());

  async function opened(nickname: string) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    return { person, device };
  }

  it('asks for it and does not show it', async () => {
    const { person, device } = await opened('小兰');

    const page = await person.openInWechat(confirmLink(world, person));

    expect(page.body).toContain('name="number"');
    expect(page.body).not.toContain(`>${device.userCode}<`);
    expect(page.body).not.toContain(`"${device.userCode}"`);
  });

  it('can be denied without a number', async () => {
    const { person, device } = await opened('小明');

    await decideOnPhone(world, person, 'deny');

    expect((await pollUntilSettled(world.url, device)).json()['error']).toBe('access_denied');
  });

  it('ends at the third wrong number, and the right one comes too late', async () => {
    const { person, device } = await opened('小华');
    const wrong = device.userCode === '0000' ? '0001' : '0000';

    for (let tries = 0; tries < 3; tries += 1)
      await decideOnPhone(world, person, 'confirm', { number: wrong }).catch(() => null);
    const page = await person.openInWechat(confirmLink(world, person));

    expect(page.body).toContain('已拒绝');
    expect((await pollUntilSettled(world.url, device)).json()['error']).toBe('access_denied');
  });

  it('gives no more tries to whoever sends all numbers at once, and counts each of them', async () => {
    const { person, device } = await opened('小李');
    const link = confirmLink(world, person);
    const page = await person.openInWechat(link);
    const fields = {
      login: fieldOf(page.body, 'login'),
      csrf: fieldOf(page.body, 'csrf'),
      decision: 'confirm',
    };
    const send = (number: string) => person.post(link.replace(/\?.*$/, ''), { ...fields, number });
    const wrong = ['0000', '1111', '2222', '3333', '4444'].filter((number) => number !== device.userCode);
    const lock = world.dataSource.createQueryRunner();
    await lock.startTransaction();
    await lock.query(`SELECT 1 FROM iam.logins WHERE status = 'scanned' FOR UPDATE`);

    const sent = wrong.map(send);
    await until(
      'the wrong numbers wait',
      async () => (await countWaiting(world.dataSource)) === wrong.length,
    );
    await lock.rollbackTransaction();
    await lock.release();
    await Promise.all(sent);
    // Not among them: PostgreSQL lets those who wait for a row in by no fixed order.
    await send(device.userCode);
    const [row] = await rowsOf(
      world.dataSource,
      `SELECT status, number_tries FROM iam.logins WHERE openid = $1`,
      [person.openid(world.oa)],
    );

    expect(row).toEqual({ status: 'denied', number_tries: 3 });
  });
});
