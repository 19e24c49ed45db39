import type { WechatClient } from '../../emulator/index.js';
import { seal, unseal } from '../../emulator/push/cipher.js';
import { pushRequest } from '../../emulator/push/push-request.js';
import { sign } from '../../emulator/push/signature.js';
import { commandProcess } from '../cli/support/run-command.js';
import {
  authorizeUrl,
  callApi,
  codeIn,
  createQrCode,
  exchange,
  type Stage,
  useStage,
} from './support/stage.js';

/**
 * The vectors of the protocol reference, section F.4, with its literal values. V1 and V2 are WeChat's own; the others were
 * computed independently.
 */
const official = { token: 'AAAAA', key: 'A'.repeat(43) };

const ours = {
  token: 'spamtest',
  key: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
  appid: 'wx2c2769f8efd9abc2',
  timestamp: '1409735669',
  nonce: '1320562132',
  random: Buffer.from('0123456789abcdef'),
};

const v1 = {
  appid: 'wxba5fad812f8e6fb9',
  encrypted:
    '+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=',
  message:
    '{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}',
  reply: 'ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==',
};

const v2 = {
  id: 'wx134c8103faa5a59e',
  encrypted:
    'D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oAbqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGmy0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4KN5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfUfe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg==',
};

const v3 = {
  message:
    '<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName><CreateTime>1409735668</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好🌏]]></Content><MsgId>6054768590064713728</MsgId></xml>',
  encrypted:
    'Q3stYC6hdFzMh9T8HCvyDOijj+4zIgvMT9VuUUUXZ83/ZjADiDm6BjQrcgkxYnYXEho/csVAJRj80aMWOjoSnBh9NHdnmP45g0aR4rV2OssVtyIEv92tnNzXa2wmwcwA/qR3uK5VOoKzkJwjplsmyvl6w716SFsDolGwk2afXB3ZqsBBRPyOsIVfqUQayUzf1EL/G/sj4eh6f1EYbH9iNN54fz+2J2AqtWXRoBiP6eAJUslhDqkrK+LBuGmY/YAnj5wrqcGM9xeJQEub+MEpYnvgUAuwU4Yo2YbnyIX5qN/xcfQfrtwzIZgqOkaLrltqf3aHTgYr5pCT8AV0/dOppw5EfrgGu4fFiYPXo8EsDpqNlH+fAIXwM8yfc3KwHef6FFY+lDnxqrRVdIiSzBfv6dr7+QRYUBFQTSQCQ26UtOI=',
  signature: '6ab6efed8359894782cbde5643a4f5b2d0fcc7a9',
};

const v4 = {
  message:
    '<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName><CreateTime>1409735668</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_login:abc123]]></EventKey><Ticket><![CDATA[gQH47joAAAAAAAAAASxodHRwOi8vd2VpeGluLnFxLmNvbS9x]]></Ticket></xml>',
  encrypted:
    'Q3stYC6hdFzMh9T8HCvyDOHf+aZPdAtdbaDSyjDbAdbMCT1yIBdhP2eo1Oj+GcyLKqun9eDcDeiSqO5U81q6ZAN+qLxwiH1LxFMYru2GsnLiTYM3lrYynWeqdCbILJIYeW8LTxls1GB1xrUJSm/PMiF+LLNn3i/sWjtpKnF7V3dM/G6zETiGiGnm28y4oUYgzTajkq+1o6IYhBmZCXYU18RSHoPwqq4BGcytfWCWJjC4V28N/Wd8ZqA9r7ykPpjrKmAEn28gkNMmMi1LkPGTgbx/c7IlGl0B64/qUcd0u6KZAljK0u4fYsoHzhNBS9iVzldPNiXz7gxzN6m6/HSfrMUYIcmS45sTnx9v81eKmtNrLvl5sDdHJxxr3MOX0T5Ea4S4M4s4LxwhRlXDD/8Gjla8/rDtjw4yh9ZiHpFSAQlnYzPWVYaJha0qldZHd0YAtdpFsgWDj5L+Gysk6l4r35R/J0CRPEcwvf3IpKFWGWgapPKMmLu5P5LxYmQ1AdCvDV9eSzNqrAnNYvYYxHaIEB67bK2UvPPIu46N3x5131I=',
  signature: 'c9c1e6732270d2d28e37f016fdf776d970c679de',
};

const v5 = {
  message: 'x'.repeat(58),
  encrypted:
    'Q3stYC6hdFzMh9T8HCvyDIKMpJ2YB/WJNYEsiBRSdP7uuAg59ygU0GcjEbNixcLfuHJQGfnGB/sQWDCwRYJJMDGHdyNXwaSNbiwQT1k8/tvRDTfzog8eKmhDb1gdyrraeHhHPYMsrMatpkB/jlq1wrBC1fF7v5eOxliL0obvzbw=',
  signature: '47fb6529420a265baad01b0722bc0dfaae3a6619',
};

const v6 = {
  message: '',
  encrypted: 'Q3stYC6hdFzMh9T8HCvyDBiKIeKbgjz4kv7NicVN5go2PdEvYWbkMeBfrJNyK8Z0eBYTa0BYG/ZhAVAdY2ZIQQ==',
  signature: '734b535206f2941f6657942a4cd204e4baa4b15f',
};

describe('the vectors of the protocol reference', () => {
  it('V1: signs the handshake, the plain and the safe push as WeChat does', () => {
    const { token } = official;

    expect(sign(token, '1714036504', '1514711492')).toBe('f464b24fc39322e44b38aa78f5edd27bd1441696');
    expect(sign(token, '1714037059', '486452656')).toBe('899cf89e464efb63f54ddac96b0a0a235f53aa78');
    expect(sign(token, '1714112445', '415670741')).toBe('6c5c811b55cc85e0e1b54100749188c20beb3f5d');
    expect(sign(token, '1714112445', '415670741', v1.encrypted)).toBe(
      '046e02f8204d34f8ba5fa3b1db94908f3df2e9b3',
    );
  });

  it('V1: opens WeChat’s JSON push and seals it again to the same bytes', () => {
    const opened = unseal(v1.encrypted, official.key);

    expect(opened.random.toString()).toBe('a8eedb185eb2fecf');
    expect(opened.message).toBe(v1.message);
    expect(Buffer.byteLength(opened.message)).toBe(167);
    expect(opened.appid).toBe(v1.appid);
    expect(seal(opened, official.key)).toBe(v1.encrypted);
  });

  it('V1: seals and signs the documented reply, and opens it', () => {
    const random = Buffer.from('707722b803182950');

    const sealed = seal({ message: '{"demo_resp":"good luck"}', appid: v1.appid, random }, official.key);

    expect(sealed).toBe(v1.reply);
    expect(sign(official.token, '1713424427', '415670741', sealed)).toBe(
      '1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1',
    );
    expect(unseal(v1.reply, official.key).message).toBe('{"demo_resp":"good luck"}');
  });

  it('V2: signs and opens the XML push of a third-party platform and seals it again', () => {
    const opened = unseal(v2.encrypted, official.key);

    expect(sign(official.token, '1715943329', '1590219412')).toBe('cc0c594499c1634947d5b502f158ee518947db27');
    expect(sign(official.token, '1715943329', '1590219412', v2.encrypted)).toBe(
      '6c12a4205838198b8fa631b3220723bb07f1015c',
    );
    expect(opened.random.toString()).toBe('1205899eaf019bbd');
    expect(Buffer.byteLength(opened.message)).toBe(292);
    expect(opened.message).toContain('\n');
    expect(opened.appid).toBe(v2.id);
    expect(seal(opened, official.key)).toBe(v2.encrypted);
  });

  it.each([
    ['V3, Chinese and an emoji', v3],
    ['V4, a subscription with a scene', v4],
    ['V5, a message that needs a whole block of padding', v5],
    ['V6, an empty message', v6],
  ])('%s: seals, signs and opens to the expected bytes', (_, { message, encrypted, signature }) => {
    const { token, key, appid, timestamp, nonce, random } = ours;

    expect(seal({ message, appid, random }, key)).toBe(encrypted);
    expect(sign(token, timestamp, nonce, encrypted)).toBe(signature);
    expect(sign(token, timestamp, nonce)).toBe('16120ec1b8dbb870f510d87ce6bc2463eae6ca1a');
    expect(unseal(encrypted, key)).toEqual({ message, appid, random });
  });

  it('V3 and V4: writes the very requests that WeChat would send', () => {
    const { token, key, appid, timestamp, nonce, random } = ours;
    const server = { token, encodingAesKey: key, mode: 'safe', format: 'xml' } as const;
    const head = {
      ToUserName: 'gh_10f6c3c3ac5a',
      FromUserName: 'oyORnuP8q7ou2gfYjqLzSIWZf0rs',
      CreateTime: 1409735668,
    };
    const text = { ...head, MsgType: 'text', Content: '你好🌏', MsgId: 6054768590064713728n };
    const event = {
      ...head,
      MsgType: 'event',
      Event: 'subscribe',
      EventKey: 'qrscene_login:abc123',
      Ticket: 'gQH47joAAAAAAAAAASxodHRwOi8vd2VpeGluLnFxLmNvbS9x',
    };

    const [first, second] = [text, event].map((fields) =>
      pushRequest(server, { appid, fields, openid: head.FromUserName, timestamp, nonce, random }),
    );

    expect(first?.query.get('msg_signature')).toBe(v3.signature);
    expect(first?.body).toBe(
      `<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><Encrypt><![CDATA[${v3.encrypted}]]></Encrypt></xml>`,
    );
    expect(second?.query.get('msg_signature')).toBe(v4.signature);
    expect(second?.body).toContain(v4.encrypted);
  });

  it('V7: signs the handshake', () => {
    expect(sign('weixin', '1500000000', 'nonce123')).toBe('3435472f35c629634a18a8c5a94eba3be9eb8dff');
  });

  it('refuses to open what another key sealed', () => {
    expect(() => unseal(v3.encrypted, official.key)).toThrow();
  });
});

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
