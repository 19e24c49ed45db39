import { authorizeUrl, qrconnectUrl, useStage } from './support/stage.js';

const hostile = `<script>alert(1)</script>"'&`;

describe('the platform’s pages', () => {
  const stage = useStage();
  const read = async (url: string, headers: Record<string, string> = {}): Promise<string> =>
    (await fetch(url, { headers })).text();

  it('escape every name they show', async () => {
    const { site, oa, lan, wechat } = stage();
    lan.changeProfile({ nickname: hostile });
    site.settings.name = hostile;
    oa.settings.name = hostile;

    const pages = [
      (await lan.openInWechat(authorizeUrl(stage()))).body,
      await read(qrconnectUrl(stage())),
      await read(authorizeUrl(stage()), { 'user-agent': 'MicroMessenger' }),
      await read(`${wechat.endpoints.open}/phone`),
      await read(`${wechat.endpoints.open}/phone?person=${lan.id}`),
    ];

    for (const page of pages) expect(page).not.toContain('<script>alert(1)');
    expect(pages[0]).toContain('&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;');
  });

  it('cannot be broken out of by a state or a redirect_uri', async () => {
    const { app } = stage();
    const page = await read(
      qrconnectUrl(stage(), { state: '</script><b>', redirect_uri: `${app.origin}/</script><b>` }),
    );

    expect(page).not.toContain('</script><b>');
  });

  it('speak Chinese unless the reader asks for English', async () => {
    const url = qrconnectUrl(stage());

    expect(await read(url)).toContain('使用微信扫一扫登录');
    expect(await read(url, { 'accept-language': 'en-GB,en;q=0.9' })).toContain(
      'Scan QR code with WeChat to log in',
    );
    expect(await read(qrconnectUrl(stage(), { lang: 'en' }))).toContain('lang="en"');
    expect(await read(qrconnectUrl(stage(), { lang: 'cn' }), { 'accept-language': 'en' })).toContain(
      'lang="zh-CN"',
    );
    expect(await read(qrconnectUrl(stage(), { scope: 'x', lang: 'en' }))).toContain('Wrong scope parameter');
  });

  it('survive headers and paths that are badly encoded', async () => {
    const { wechat } = stage();
    const headers = {
      'user-agent': 'MicroMessenger',
      'x-emulator-person': '%',
      cookie: 'wechat_emulator_person=%E0%',
    };

    expect(await read(authorizeUrl(stage()), headers)).toContain('这是谁的微信');
    expect((await fetch(`${wechat.endpoints.open}/connect/qrcode/%E0%A4%A`)).status).toBe(200);
  });

  it('remember whose browser it is and go back only to themselves', async () => {
    const { wechat, lan } = stage();
    const as = async (to: string): Promise<Response> =>
      fetch(`${wechat.endpoints.open}/connect/as?${new URLSearchParams({ person: lan.id, to }).toString()}`, {
        redirect: 'manual',
      });

    const known = await as('/connect/oauth2/authorize?x=1');
    const elsewhere = await as('//evil.example/');
    const cookie = known.headers.get('set-cookie')?.split(';')[0] ?? '';

    expect(known.headers.get('location')).toBe('/connect/oauth2/authorize?x=1');
    expect(elsewhere.headers.get('location')).toBe('/phone');
    expect(await read(authorizeUrl(stage()), { 'user-agent': 'MicroMessenger', cookie })).toContain('小兰');
  });
});
