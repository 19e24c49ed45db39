import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Tab, walk } from './browser.mjs';

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

/** What scripts of WeChat's clients may ask for. */
export const wechatActions = {
  'GET /': (stage) => describe(stage),
  'POST /sign-in': (stage, { url, on }) =>
    on === 'pc' ? walk(stage, new Tab(), url) : signInWithinWechat(stage, url),
  'POST /push': exchangePushes,
  'POST /follow': async ({ lan, oa }) => ({ outcome: (await lan.follow(oa))?.outcome }),
  'POST /wx-login': ({ lan, mini }) => ({ code: lan.wxLogin(mini), ...lan.encryptedProfile(mini) }),
  'POST /phone-number': ({ lan, mini }) => ({ code: lan.phoneNumberCode(mini) }),
};

/** The emulator's people as a service on a port of its own, for the script of a client in whatever language. */
export async function servePeople(stage, actions) {
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
