import { homeOf } from '../../src/http/error-page.js';
import type { ResolvedIamClient } from '../../src/config/iam.resolved-options.js';

const client = (id: string, ...redirectUris: string[]): [string, ResolvedIamClient] => [
  id,
  { id, redirectUris, tokens: 'bearer', origins: [] },
];
const home = (publicUrl: string, clients: [string, ResolvedIamClient][], clientId?: string) =>
  homeOf({ publicUrl, siteName: 'shop', clients: new Map(clients) }, clientId);

const api = 'https://api.shop.example';
const web = client('web', 'https://www.shop.example/back');
const app = client('app', 'http://127.0.0.1/back', 'http://[::1]/back', 'http://localhost:9000/back');

describe('the site that an error page leads to', () => {
  it('is the client’s that the address names', () => {
    expect(home(api, [web, client('other', 'https://other.example/back')], 'other')).toBe(
      'https://other.example',
    );
  });

  it('is ours where a client lives there, in whatever order they are named', () => {
    expect(home(api, [web, client('own', `${api}/back`)])).toBe(api);
  });

  it('is the first client’s where ours has no pages', () => {
    expect(home(api, [web, client('other', 'https://other.example/back')])).toBe('https://www.shop.example');
  });

  it('is never the machine of the person, which an app returns to', () => {
    expect([home(api, [app]), home(api, [app], 'app'), home(api, [app, web])]).toEqual([
      api,
      api,
      'https://www.shop.example',
    ]);
  });

  it('is on this machine while all of it is', () => {
    expect(home('http://localhost:3000', [client('web', 'http://localhost:5173/back')])).toBe(
      'http://localhost:5173',
    );
  });
});
