/**
 * What registers does so for the whole process.
 * @jest-environment node
 */
import { Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { IamError } from '../../src/index.js';
import {
  SignInMethod,
  TokenGrant,
  type GrantCaller,
  type StartedAttempt,
} from '../../src/oauth/registration.js';
import { Redemption } from '../../src/sign-in/redemption.service.js';
import { openApiOf } from '../support/described-answers.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, userAgents } from '../support/pc-browser.js';
import { authorizeUrl, getWith, pkce, returnFromPc, toTokens } from '../support/sign-in.js';

const voucher = 'urn:example:grant:voucher';

/** Hands a one-time code in without PKCE, as no real grant may. */
@TokenGrant({ type: voucher, parameters: {}, errors: ['phone_code_invalid'] })
class VoucherGrant implements TokenGrant {
  constructor(private readonly modules: ModuleRef) {}

  redeem(_parameters: object, { client, request }: GrantCaller) {
    const loginId = String(request.query['login']);
    if (client.id !== 'web') throw new IamError('invalid_grant', 'not the client of vouchers');
    return this.modules.get(Redemption, { strict: false }).redeemProven(loginId, { origin: request.origin });
  }
}

/** For phones outside WeChat, which have no other method. */
@SignInMethod('handset')
class HandsetMethod implements SignInMethod {
  appOf = ({ mp }: StartedAttempt['provider']) => mp;
  isOffered: SignInMethod['isOffered'] = (_provider, { kind }) => kind === 'phone';
  problemOf: SignInMethod['problemOf'] = ({ mp }, hasFollowed) => {
    if (hasFollowed) return 'follow_required';
    return mp === null ? 'wechat_mp_not_configured' : null;
  };
  location = ({ attempt }: StartedAttempt) => `https://handset.example/?state=${attempt.state}`;
}

@Module({ providers: [VoucherGrant, HandsetMethod] })
class NewWays {}

describe('a way of signing in that registers', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ imports: [NewWays] });
  });
  afterAll(() => world.close());

  it('is a grant of the token endpoint and of its metadata', async () => {
    const { returned } = await returnFromPc(world, world.wechat.person({ nickname: '小兰' }));
    const [, login = ''] = (returned.location?.searchParams.get('code') ?? '').split('.');
    const token = (client_id: string) =>
      new PcBrowser().visit(`${world.url}/iam/token?login=${login}`, {
        form: { grant_type: voucher, client_id },
      });

    const metadata = await new PcBrowser().visit(`${world.url}/iam/.well-known/oauth-authorization-server`);
    const unknownClient = await token('nobody');
    const { accessToken } = toTokens(await token('web'));

    expect(metadata.json()['grant_types_supported']).toEqual([
      'authorization_code',
      'client_credentials',
      'refresh_token',
      voucher,
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:wechat:grant:mini_program',
      'urn:wechat:grant:mobile_app',
    ]);
    expect(unknownClient.json()['code']).toBe('invalid_client');
    expect((await getWith(`${world.url}/iam/me`, accessToken)).status).toBe(200);
  });

  it('is a method that browsers are offered and that authorize begins', async () => {
    const phone = new PcBrowser(userAgents.phone);

    const offer = await phone.visit(`${world.url}/iam/providers`);
    const start = await phone.visit(authorizeUrl(world.url, pkce().challenge));
    const onPc = await new PcBrowser().visit(
      authorizeUrl(world.url, pkce().challenge, { method: 'handset' }),
    );

    expect(offer.json()['providers']).toMatchObject([
      { methods: ['handset'], recommended: 'handset', problem: null },
    ]);
    expect(start.location?.host).toBe('handset.example');
    expect(onPc.location?.host).toBe('handset.example');
  });

  it('is refused by the rules of its own', async () => {
    await world.saveProvider({ slug: 'open-only', mp_app_id: null, mp_app_secret: null });
    const start = (changes: Readonly<Record<string, string>>) =>
      new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge, { display: 'widget', ...changes }), {
        headers: { accept: 'application/json' },
      });

    const unfit = await start({ method: 'handset', provider: 'open-only' });
    const unknown = await start({ method: 'telepathy' });

    expect(unfit.json()['code']).toBe('wechat_mp_not_configured');
    expect(unknown.json()['code']).toBe('invalid_request');
  });

  it('belongs to the applications that provide it, not to every one of the process', async () => {
    const other = await startWorld();
    try {
      const phone = new PcBrowser(userAgents.phone);
      const iam = `${other.url}/iam`;

      const metadata = await phone.visit(`${iam}/.well-known/oauth-authorization-server`);
      const redeemed = await phone.visit(`${iam}/token`, {
        form: { grant_type: voucher, client_id: 'web' },
      });
      const offer = await phone.visit(`${iam}/providers`);
      const start = await phone.visit(
        authorizeUrl(other.url, pkce().challenge, { method: 'handset', display: 'widget' }),
        { headers: { accept: 'application/json' } },
      );

      expect(metadata.json()['grant_types_supported']).not.toContain(voucher);
      expect(redeemed.json()['code']).toBe('unsupported_grant_type');
      expect(offer.json()['providers']).toMatchObject([{ methods: [], recommended: null }]);
      expect(start.json()['code']).toBe('method_unavailable');
    } finally {
      await other.close();
    }
  });

  it('is described to OpenAPI with its parameters and errors', () => {
    const { paths } = openApiOf(world.app);

    const description = JSON.stringify([
      paths['/iam/token'],
      paths['/iam/authorize'],
      paths['/iam/providers'],
    ]);

    expect(description).toContain(voucher);
    expect(description).toContain('phone_code_invalid');
    expect(description).toContain('handset');
  });
});
