import assert from 'node:assert/strict';
import WechatApi from 'co-wechat-api';
import { check, follow, report, world } from './check.mjs';

const { officialAccount, miniProgram, person } = world;
const openid = person.openids.officialAccount;
const api = new WechatApi(officialAccount.appid, officialAccount.secret);

await check('base access token', async () => {
  const { accessToken } = await api.ensureAccessToken();
  assert.ok(accessToken.length > 60);
});
await check('a follower', async () => {
  await follow();
  const user = await api.getUser({ openid, lang: 'zh_CN' });
  assert.deepEqual([user.subscribe, user.openid, user.unionid], [1, openid, person.unionid]);
});
await check('the list of followers', async () => {
  const { data } = await api.getFollowers();
  assert.deepEqual(data.openid, [openid]);
});
await check('QR codes with a number and with text', async () => {
  for (const made of [await api.createTmpQRCode(10_000, 1800), await api.createLimitQRCode('shop')])
    assert.match(api.showQRCodeURL(made.ticket), /showqrcode\?ticket=.+/);
});
await check('a wrong secret is refused', async () => {
  const wrong = new WechatApi(officialAccount.appid, 'x'.repeat(32));
  await assert.rejects(wrong.ensureAccessToken(), { code: 40125 });
});
await check('the mini program by its token', async () => {
  const mini = new WechatApi(miniProgram.appid, miniProgram.secret);
  const { accessToken } = await mini.ensureAccessToken();
  assert.ok(accessToken.length > 60);
});

await report('co-wechat-api');
