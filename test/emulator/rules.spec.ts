import { commandProcess } from '../cli/support/run-command.js';
import type { WechatClient } from '../../emulator/index.js';
import {
  authorizeUrl,
  callApi,
  codeIn,
  createQrCode,
  exchange,
  useStage,
  type Stage,
} from './support/stage.js';

/** What WeChat's error page says; nothing when the request was let through. */
async function errorCode(
  { lan }: Stage,
  url: string,
  client: WechatClient = 'android',
): Promise<string | undefined> {
  const { body } = await lan.openInWechat(url, { client });
  return /data-error-code="(\d+)"/.exec(body)?.[1];
}

/** The authorize page with its parameters in an order that nobody documents. */
function unorderedUrl(stage: Stage): string {
  const [address = '', query = ''] = authorizeUrl(stage).replace(/#.*/, '').split('?');
  return `${address}?${query.split('&').reverse().join('&')}`;
}

describe('unmodified clients', () => {
  const stage = useStage({});

  it.each<readonly [WechatClient, string | undefined]>([
    ['android', undefined],
    ['ios', undefined],
    ['wecom', undefined],
    ['windows', '10005'],
    ['mac', '10005'],
  ])(
    'may order the parameters of authorize as they like in WeChat for %s: error %s',
    async (client, code) => {
      expect(await errorCode(stage(), unorderedUrl(stage()), client)).toBe(code);
      expect(await errorCode(stage(), authorizeUrl(stage()), client)).toBeUndefined();
    },
  );

  it.each(['', 'a-b_c.d', 'eyJ=/+%', 's'.repeat(128)])('get the state %j back as it went', async (state) => {
    const { lan } = stage();
    const url = authorizeUrl(stage(), { state, scope: 'snsapi_base' });

    const { searchParams } = new URL((await lan.openInWechat(url)).url);

    expect(searchParams.get('code')).toMatch(/^\w{32}$/);
    expect(searchParams.get('state')).toBe(state);
  });

  it.each(['s'.repeat(129), '状'.repeat(43)])('get an error page for a state of 129 bytes', async (state) => {
    expect(await errorCode(stage(), authorizeUrl(stage(), { state }))).toBe('10013');
  });

  it('read the profile of the token with whatever openid, but check only their own', async () => {
    const { lan, oa } = stage();
    await lan.openInWechat(authorizeUrl(stage()));
    const { access_token: token } = await exchange(stage(), oa, codeIn((await lan.confirm()).url));
    const query = { access_token: String(token), openid: oa.appid };

    expect((await callApi(stage(), '/sns/userinfo', query)).body).toMatchObject({
      openid: lan.openid(oa),
      nickname: '小兰',
    });
    expect((await callApi(stage(), '/sns/auth', query)).body).toMatchObject({ errcode: 40003 });
  });

  it.each([
    ['begins with white space', '\n    ', '1700000000'],
    ['has a CreateTime that is no number', '', '2025-01-01 08:00:00'],
  ])('may send a passive reply that %s', async (_, space, time) => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });
    app.respond = (response) =>
      response.end(
        `${space}<xml><ToUserName>${lan.openid(oa)}</ToUserName><FromUserName>${oa.originalId}</FromUserName><CreateTime>${time}</CreateTime><MsgType>text</MsgType><Content>hi</Content></xml>`,
      );

    const delivery = await lan.follow(oa);

    expect(delivery?.outcome).toBe('answered');
    expect(lan.chat(oa)).toMatchObject([{ from: 'account', text: 'hi' }]);
  });

  it('may put a ticket into an address unescaped', async () => {
    const { ticket = '' } = await createQrCode(stage(), 'login');

    const picture = await fetch(`${stage().wechat.endpoints.mp}/cgi-bin/showqrcode?ticket=${ticket}`);

    expect(ticket).toMatch(/^gQ[\w-]{86}==$/);
    expect(picture.status).toBe(200);
  });
});

describe('the strict rules', () => {
  const stage = useStage();

  it('break a ticket that is put into an address unescaped', async () => {
    const { ticket = '' } = await createQrCode(stage(), 'login');
    const show = async (text: string) =>
      (await fetch(`${stage().wechat.endpoints.mp}/cgi-bin/showqrcode?ticket=${text}`)).status;

    expect(ticket).toMatch(/^gQ\+\//);
    expect([await show(ticket), await show(encodeURIComponent(ticket))]).toEqual([404, 200]);
  });

  it('refuse another order everywhere', async () => {
    expect(await errorCode(stage(), unorderedUrl(stage()))).toBe('10005');
  });

  it('can be switched off altogether', async () => {
    stage().wechat.rules.authorizeOrder = 'never';

    expect(await errorCode(stage(), unorderedUrl(stage()), 'windows')).toBeUndefined();
  });

  it.each([
    ['begins with white space', '\n    ', '1700000000'],
    ['has a CreateTime that is no number', '', '2025-01-01 08:00:00'],
  ])('show the fault notice for a passive reply that %s', async (_, space, time) => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });
    app.respond = (response) =>
      response.end(
        `${space}<xml><ToUserName>${lan.openid(oa)}</ToUserName><FromUserName>${oa.originalId}</FromUserName><CreateTime>${time}</CreateTime><MsgType>text</MsgType><Content>hi</Content></xml>`,
      );

    expect((await lan.follow(oa))?.outcome).toBe('malformed');
  });
});

describe('a refusal', () => {
  const stage = useStage();

  it.each([
    ['authdeny', /\/callback\?code=authdeny&state=abc123$/],
    ['state-only', /\/callback\?state=abc123$/],
    ['no-redirect', /\/connect\/oauth2\/consent$/],
  ] as const)('ends as the rule %s says', async (deny, address) => {
    const { wechat, lan } = stage();
    wechat.rules.deny = deny;
    await lan.openInWechat(authorizeUrl(stage()));

    expect((await lan.deny()).url).toMatch(address);
  });
});

describe('rules from outside', () => {
  const stage = useStage({});

  it.each([
    [{ authorizeOrder: 'sometimes' }, /authorizeOrder/],
    [{ pushAttempts: -1 }, /pushAttempts/],
    [{ snapshot: 'yes' }, /snapshot/],
    [{ nonsense: 1 }, /nonsense/],
  ])('are refused when they are %j', async (rules, text) => {
    const { wechat } = stage();
    const before = { ...wechat.rules };

    const response = await fetch(`${wechat.endpoints.api}/_emulator/rules`, {
      method: 'POST',
      body: JSON.stringify(rules),
    });

    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringMatching(text) as unknown });
    expect(wechat.rules).toEqual(before);
  });

  it('are refused by the command line too', async () => {
    const outcome = await commandProcess(['emulator', '--port', '0', '--rule', 'authorizeOrder=sometimes']);

    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(outcome.stderr).toMatch(/--rule: .*authorizeOrder/s);
  });
});
