import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

/** A new Open Platform account with an app of each kind and a person, for one client to work with. */
export function setStage(wechat) {
  const account = wechat.openPlatformAccount();
  const domain = { callbackDomain: 'localhost' };
  return {
    wechat,
    account,
    site: account.websiteApp(domain),
    oa: account.officialAccount({ oauthDomain: 'localhost' }),
    mini: account.miniProgram(),
    lan: wechat.person({ nickname: '小兰', avatar: 'https://thirdwx.qlogo.cn/mmopen/lan/132' }),
  };
}

/** What a client's script is told: its apps with their secrets, and who signs in. */
function describe({ account, site, oa, mini, lan }) {
  const { token, encodingAesKey } = oa.settings.server;
  const { nickname, avatar } = lan;
  const openids = { site: lan.openid(site), officialAccount: lan.openid(oa), miniProgram: lan.openid(mini) };
  return {
    site: { appid: site.appid, secret: site.secret },
    officialAccount: { appid: oa.appid, secret: oa.secret, originalId: oa.originalId, token, encodingAesKey },
    miniProgram: { appid: mini.appid, secret: mini.secret },
    person: { nickname, avatar, unionid: lan.unionid(account), openids },
  };
}

/** Keeps cookies by name: every page of a client is on one host. */
class Tab {
  #cookies = new Map();

  async get(url) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie, accept: 'text/html' } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined) this.#cookies.set(name, value);
    }
    return response;
  }
}

const longestWay = 10;

/** A PC's browser from the sign-in link to the last page; where WeChat shows its QR code, the phone scans and confirms. */
async function signInOnPc({ wechat, lan }, start) {
  const tab = new Tab();
  let url = start;
  for (let step = 0; step < longestWay; step += 1) {
    if (new URL(url).pathname === '/connect/qrconnect') {
      const screen = await wechat.showQrCode(url);
      await lan.scan(screen.content);
      await lan.confirm();
      const { redirectTo } = await screen.finish();
      if (redirectTo === undefined) throw new Error('the QR page leads nowhere');
      url = redirectTo;
      continue;
    }
    const response = await tab.get(url);
    const location = response.headers.get('location');
    if (location === null) return { status: response.status, url, body: await response.text() };
    url = new URL(location, url).href;
  }
  throw new Error(`redirects without end: ${url}`);
}

/** The same in WeChat's web view, where the person presses 允许 when asked. */
async function signInWithinWechat({ lan }, url) {
  const page = await lan.openInWechat(url);
  const { status, url: end, body } = lan.phone.asks ? await lan.confirm() : page;
  return { status, url: end, body };
}

/** Follows, writes and leaves in one of the three modes; what the chat shows of the server's replies, and each outcome. */
async function exchangePushes({ oa, lan }, { url, mode, text: said = '你好' }) {
  oa.configureServer({ url: undefined });
  await lan.unfollow(oa);
  oa.configureServer({ url, mode });
  const handshake = await oa.verifyServer();
  const seen = lan.chat(oa).length;
  const deliveries = [await lan.follow(oa), await lan.say(oa, said), await lan.unfollow(oa)];
  const shown = lan
    .chat(oa)
    .slice(seen)
    .map(({ from, text: content }) => ({ from, text: content }));
  const errors = deliveries.flatMap(({ attempts }) => attempts.flatMap(({ error }) => error ?? []));
  return { handshake, outcomes: deliveries.map(({ outcome }) => outcome), errors, chat: shown };
}

const actions = {
  'GET /': (stage) => describe(stage),
  'POST /sign-in': (stage, { url, on }) =>
    on === 'pc' ? signInOnPc(stage, url) : signInWithinWechat(stage, url),
  'POST /push': exchangePushes,
  'POST /follow': async ({ lan, oa }) => ({ outcome: (await lan.follow(oa))?.outcome }),
  'POST /wx-login': ({ lan, mini }) => ({ code: lan.wxLogin(mini), ...lan.encryptedProfile(mini) }),
  'POST /phone-number': ({ lan, mini }) => ({ code: lan.phoneNumberCode(mini) }),
};

/** The emulator's people as a service on a port of its own, for the script of a client in whatever language. */
export async function servePeople(stage) {
  const server = createServer(async (request, response) => {
    response.setHeader('content-type', 'application/json');
    try {
      const action = actions[`${request.method} ${request.url}`];
      if (!action) throw new Error(`no such action: ${request.method} ${request.url}`);
      const sent = await text(request);
      response.end(JSON.stringify(await action(stage, sent === '' ? {} : JSON.parse(sent))));
    } catch (error) {
      response.statusCode = 500;
      response.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
