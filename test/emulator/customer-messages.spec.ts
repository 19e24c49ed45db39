import { postApi, useStage } from './support/stage.js';

const path = '/cgi-bin/message/custom/send';

describe('/cgi-bin/message/custom/send', () => {
  const stage = useStage();
  const text = (touser: string, content = 'hello'): object => ({
    touser,
    msgtype: 'text',
    text: { content },
  });

  it('reaches the chat with its links while the person has written within 48 hours, five times', async () => {
    const { wechat, lan, oa } = stage();
    await lan.follow(oa);
    await lan.say(oa, 'hi');
    const send = async (content?: string): Promise<unknown> =>
      (await postApi(stage(), path, text(lan.openid(oa), content)))['errcode'];

    const answers = [await send('<a href="https://app.example/">open</a>')];
    for (let i = 0; i < 5; i++) answers.push(await send());

    expect(answers).toEqual([0, 0, 0, 0, 0, 45047]);
    expect(lan.chat(oa)[1]).toMatchObject({ from: 'account', links: ['https://app.example/'] });
    await lan.say(oa, 'again');
    wechat.clock.advance(48 * 3600);
    expect(await send()).toBe(45015);
  });

  it('is allowed three times in the minute after a follow', async () => {
    const { wechat, lan, oa } = stage();
    await lan.follow(oa);
    const send = async (): Promise<unknown> =>
      (await postApi(stage(), path, text(lan.openid(oa))))['errcode'];

    expect([await send(), await send(), await send(), await send()]).toEqual([0, 0, 0, 45047]);
    await lan.tapMenu(oa, 'HELP');
    wechat.clock.advance(61);
    expect(await send()).toBe(45015);
  });

  it('is over once the person has left', async () => {
    const { lan, oa } = stage();
    await lan.follow(oa);
    await lan.unfollow(oa);

    expect((await postApi(stage(), path, text(lan.openid(oa))))['errcode']).toBe(45015);
  });

  it('refuses strangers, empty texts and unknown types', async () => {
    const { lan, oa } = stage();
    const touser = lan.openid(oa);
    const errcodeOf = async (body: object): Promise<unknown> =>
      (await postApi(stage(), path, body))['errcode'];

    expect(await errcodeOf(text('oX'))).toBe(40003);
    expect(await errcodeOf(text(touser, ''))).toBe(44004);
    expect(await errcodeOf({ touser, msgtype: 'poem' })).toBe(40008);
  });

  it('sends cards', async () => {
    const { lan, oa } = stage();
    await lan.follow(oa);
    const news = { articles: [{ title: 'T', description: '', url: 'https://app.example/', picurl: '' }] };

    await postApi(stage(), path, { touser: lan.openid(oa), msgtype: 'news', news });

    expect(lan.chat(oa)).toMatchObject([{ type: 'news', text: 'T', links: ['https://app.example/'] }]);
  });
});
