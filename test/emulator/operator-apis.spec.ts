import { until } from '../support/until.js';
import { callApi, baseToken, postApi, textLike, useStage } from './support/stage.js';

describe('what the software of an operator calls besides signing people in', () => {
  const stage = useStage();

  it('gets the same JS-SDK ticket until it ends', async () => {
    const { wechat } = stage();
    const ticket = async (type: string): Promise<Record<string, unknown>> => {
      const query = { access_token: await baseToken(stage()), type };
      return (await callApi(stage(), '/cgi-bin/ticket/getticket', query)).body;
    };

    const first = await ticket('jsapi');
    wechat.clock.advance(3600);
    const second = await ticket('jsapi');
    wechat.clock.advance(3601);

    expect(first).toMatchObject({ errcode: 0, ticket: textLike(/^\w{86}$/), expires_in: 7200 });
    expect(second).toMatchObject({ ticket: first['ticket'], expires_in: 3600 });
    expect((await ticket('jsapi'))['ticket']).not.toBe(first['ticket']);
    expect(await ticket('nonsense')).toMatchObject({ errcode: 40097 });
  });

  it('keeps a menu', async () => {
    const menu = { button: [{ type: 'click', name: '今日', key: 'TODAY' }] };

    expect(await postApi(stage(), '/cgi-bin/menu/get', {})).toMatchObject({ errcode: 46003 });
    expect(await postApi(stage(), '/cgi-bin/menu/create', menu)).toMatchObject({ errcode: 0 });
    expect(await postApi(stage(), '/cgi-bin/menu/get', {})).toEqual({ menu });
    expect(await postApi(stage(), '/cgi-bin/menu/create', { button: [] })).toMatchObject({ errcode: 40016 });
    expect(await postApi(stage(), '/cgi-bin/menu/delete', {})).toMatchObject({ errcode: 0 });
    expect(await postApi(stage(), '/cgi-bin/get_current_selfmenu_info', {})).toEqual({ is_menu_open: 0 });
  });

  it('labels followers and shows the labels with them', async () => {
    const { lan, oa } = stage();
    await lan.follow(oa);
    const openid = lan.openid(oa);

    const { tag } = await postApi(stage(), '/cgi-bin/tags/create', { tag: { name: '会员' } });
    await postApi(stage(), '/cgi-bin/tags/members/batchtagging', { openid_list: [openid], tagid: 100 });
    await postApi(stage(), '/cgi-bin/user/info/updateremark', { openid, remark: '老客户' });
    const query = { access_token: await baseToken(stage()), openid };

    expect(tag).toEqual({ id: 100, name: '会员' });
    expect((await callApi(stage(), '/cgi-bin/user/info', query)).body).toMatchObject({
      tagid_list: [100],
      remark: '老客户',
    });
    expect(await postApi(stage(), '/cgi-bin/user/tag/get', { tagid: 100 })).toMatchObject({
      data: { openid: [openid] },
    });
    expect(await postApi(stage(), '/cgi-bin/tags/create', { tag: { name: '会员' } })).toMatchObject({
      errcode: 45157,
    });
    expect(
      await postApi(stage(), '/cgi-bin/tags/members/batchuntagging', { openid_list: ['oX'], tagid: 100 }),
    ).toMatchObject({ errcode: 40003 });
  });

  it('sends a template message to a follower, shows it, and says later what became of it', async () => {
    const { lan, oa, app } = stage();
    oa.configureServer({ mode: 'plain' });
    const message = {
      touser: lan.openid(oa),
      template_id: 'T1',
      url: 'https://shop.example/o/1',
      data: { first: { value: '已发货' } },
    };
    expect(await postApi(stage(), '/cgi-bin/message/template/send', message)).toMatchObject({
      errcode: 43004,
    });
    await lan.follow(oa);

    const sent = await postApi(stage(), '/cgi-bin/message/template/send', message);
    await until('the event arrives', () => app.last?.body.includes('TEMPLATESENDJOBFINISH') === true);

    expect(sent).toEqual({ errcode: 0, errmsg: 'ok', msgid: expect.any(Number) as unknown });
    expect(app.last?.body).toContain(`<MsgID>${String(sent['msgid'])}</MsgID>`);
    expect(lan.chat(oa)).toContainEqual(
      expect.objectContaining({ type: 'template', text: '已发货', links: ['https://shop.example/o/1'] }),
    );
    expect(
      await postApi(stage(), '/cgi-bin/message/template/send', { ...message, template_id: '' }),
    ).toMatchObject({ errcode: 40037 });
    expect(await postApi(stage(), '/cgi-bin/message/template/send', { ...message, data: 'x' })).toMatchObject(
      { errcode: 47003 },
    );
  });

  it('gives an uploaded picture back as it came', async () => {
    const { wechat } = stage();
    const bytes = Uint8Array.from([0xff, 0xd8, 13, 10, 13, 10, 45, 45, 0, 255]);
    const form = new FormData();
    form.set('media', new Blob([bytes], { type: 'image/jpeg' }), 'logo.jpg');
    const token = await baseToken(stage());
    const upload = await callApi(
      stage(),
      '/cgi-bin/material/add_material',
      { access_token: token, type: 'image' },
      { method: 'POST', body: form },
    );
    const media_id = upload.body['media_id'];

    const file = await fetch(`${wechat.endpoints.api}/cgi-bin/material/get_material?access_token=${token}`, {
      method: 'POST',
      body: JSON.stringify({ media_id }),
    });

    expect(file.headers.get('content-type')).toBe('image/jpeg');
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(bytes);
    expect(
      await postApi(stage(), '/cgi-bin/material/batchget_material', { type: 'image', offset: 0, count: 20 }),
    ).toMatchObject({ total_count: 1, item: [{ media_id, name: 'logo.jpg' }] });
    expect(await postApi(stage(), '/cgi-bin/material/del_material', { media_id })).toMatchObject({
      errcode: 0,
    });
    expect(await postApi(stage(), '/cgi-bin/material/del_material', { media_id })).toMatchObject({
      errcode: 40007,
    });
  });
});
