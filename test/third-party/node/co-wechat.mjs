import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import wechat from 'co-wechat';
import Koa from 'koa';
import { check, listen, push, report, world } from './check.mjs';

const { token, encodingAesKey, appid } = world.officialAccount;

const app = new Koa();
const config = { token, appid, encodingAESKey: encodingAesKey };
app.use(
  wechat(config).middleware(async (message) => {
    if (message.MsgType === 'text') return `you said ${message.Content}`;
    return message.Event === 'subscribe' ? 'welcome' : '';
  }),
);
const origin = await listen(createServer(app.callback()));

for (const mode of ['plain', 'compatible', 'safe'])
  await check(`pushes in ${mode} mode`, async () => {
    const { handshake, outcomes, chat } = await push(`${origin}/wechat`, mode);
    assert.equal(handshake.ok, true);
    assert.deepEqual(outcomes, ['answered', 'answered', 'answered']);
    const replies = chat.filter(({ from }) => from !== 'person').map(({ text }) => text);
    assert.deepEqual(replies, ['welcome', 'you said 你好']);
  });

await report('co-wechat');
