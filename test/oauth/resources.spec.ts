import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';

describe.each(platforms)('the metadata of APIs of this application, on %s', (_name, create) => {
  const publicUrl = 'https://app.example.com';
  const site = { publicUrl, wechat: { allowLoopback: true } };
  const own = [
    { identifier: publicUrl },
    { identifier: `${publicUrl}/mcp`, name: '工具', scopes: ['profile', 'roles'] },
    { identifier: 'https://other.example.com/mcp' },
  ];
  let world: World;
  let plain: IamApp;

  beforeAll(async () => {
    world = await startWorld({ create, options: { ...site, resources: own } });
    plain = await startReplica(world, { create, options: site });
  });
  afterAll(() => plain.close().finally(() => world.close()));

  const read = (path: string, url = world.url) =>
    new PcBrowser().visit(`${url}/.well-known/oauth-protected-resource${path}`);

  it('is at the root and below their paths, and nowhere else', async () => {
    const [root, mcp] = [await read(''), await read('/mcp')];
    const nowhere = [await read('/other'), await read('/mcp/deeper'), await read('', plain.url)];

    expect(root.json()).toEqual({
      resource: publicUrl,
      authorization_servers: [publicUrl],
      bearer_methods_supported: ['header'],
    });
    expect(mcp.json()).toEqual({
      resource: `${publicUrl}/mcp`,
      authorization_servers: [publicUrl],
      bearer_methods_supported: ['header'],
      scopes_supported: ['profile', 'roles'],
      resource_name: '工具',
    });
    expect(nowhere.map(({ status }) => status)).toEqual([404, 404, 404]);
  });
});
