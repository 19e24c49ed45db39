import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import { WechatEmulator } from '../../../dist/emulator/index.js';
import { IamModule, IdentityProviders } from '../../../dist/src/index.js';
import { freePort } from '../../hosts/support/host.mjs';
import { createDatabase, startPostgres } from '../../hosts/support/postgres.mjs';
import { Tab, walk } from './browser.mjs';

const adminToken = randomBytes(32).toString('hex');
const push = { mp_token: 'tokenOfTheClients', mp_encoding_aes_key: 'a'.repeat(43) };

/** A host of the module with a row for PCs and one for scans, whose people sign in at an emulator of its own. */
export async function startIssuer(workspace) {
  const wechat = await WechatEmulator.start();
  workspace.onClose(() => wechat.stop());
  const database = await createDatabase(workspace, await startPostgres(workspace), 'third-party');
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const iam = IamModule.forRoot({
    publicUrl: url,
    keys: [randomBytes(32).toString('base64')],
    clients: [],
    admin: { token: adminToken },
    wechat: { endpoints: wechat.endpoints },
    database: { url: database, migrationsRun: true },
  });
  const module = { module: class Host {}, imports: [iam] };
  const app = await NestFactory.create(module, { logger: ['error', 'fatal'], abortOnError: false });
  workspace.onClose(() => app.close());
  await app.listen(port, '127.0.0.1');
  const account = wechat.openPlatformAccount();
  const site = account.websiteApp({ callbackDomain: 'localhost' });
  const oa = account.officialAccount({ oauthDomain: 'localhost' });
  const providers = app.get(IdentityProviders);
  await providers.save({
    slug: 'wechat',
    name: '微信',
    open_app_id: site.appid,
    open_app_secret: site.secret,
  });
  await providers.save({
    slug: 'scans',
    name: '关注',
    mp_app_id: oa.appid,
    mp_app_secret: oa.secret,
    qr_enabled: true,
    qr_confirmation: 'none',
    ...push,
  });
  const webhook = { url: `${url}/iam/webhook/scans`, mode: 'safe' };
  oa.configureServer({ ...webhook, token: push.mp_token, encodingAesKey: push.mp_encoding_aes_key });
  return { url, wechat, oa };
}

/** A person with a browser, for one client to sign in. */
export function setIssuerStage(issuer) {
  const avatar = 'https://thirdwx.qlogo.cn/mmopen/lan/132';
  return { ...issuer, lan: issuer.wechat.person({ nickname: '小兰', avatar }), tab: new Tab() };
}

async function administer({ url }, path, body) {
  const response = await fetch(`${url}/iam/admin/${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${adminToken}`,
      'content-type': 'application/json',
      'if-match': '*',
    },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`POST ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

let registered = 0;

/** Registers an application as an administrator does; its id, and the secret of one that has any. */
async function register(stage, members) {
  registered += 1;
  const id = `app-${registered}`;
  const providers = members.type === 'service' ? [] : ['wechat'];
  await administer(stage, 'clients', { id, providers, ...members });
  const hasSecret = ['confidential', 'service'].includes(members.type) && members.jwks === undefined;
  const { secret } = hasSecret ? await administer(stage, `clients/${id}/rotate`, {}) : {};
  return { client_id: id, ...(secret !== undefined && { client_secret: secret }) };
}

/** What scripts of OpenID Connect clients may ask for. */
export const issuerActions = {
  'GET /': ({ url, lan: { nickname, avatar } }) => ({ issuer: url, person: { nickname, avatar } }),
  'GET /wechat-calls': ({ wechat }) => ({ count: wechat.calls().length }),
  'POST /application': register,
  'POST /sign-in': (stage, { url }) => walk(stage, stage.tab, url),
  'POST /scan': async ({ lan, oa }, { content }) => {
    await lan.scan(content);
    await lan.follow(oa);
    return {};
  },
};
