import { IamError, IamUsers } from '../../src/index.js';
import { rowsOf } from '../support/rows.js';
import { redeem, returnFromPc } from '../support/sign-in.js';
import { eventFields, post, sealed, startWebhookWorld, type WebhookWorld } from '../support/webhook.js';

describe('the open sign-ins of a WeChat account that was closed', () => {
  let world: WebhookWorld;

  beforeAll(async () => {
    world = await startWebhookWorld({ sign_up: 'bind' });
  });
  afterAll(() => world.close());

  it('end, connect nobody any more, and say nothing of the person', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const bindingToken = String(
      (await redeem(world.url, await returnFromPc(world, lan))).json()['binding_token'],
    );
    const authenticated = await returnFromPc(world, lan);
    const fields = { OpenID: lan.openid(world.site), AppID: world.site.appid };

    await post(
      world.webhook,
      sealed(eventFields('user_authorization_cancellation', 'oWeChat', fields), world),
    );
    const logins = () => rowsOf(world.dataSource, 'SELECT status, error, subject FROM iam.logins');
    while ((await logins()).some(({ status }) => status === 'binding'));
    const users = world.app.get(IamUsers);
    const bound = await users.bind(bindingToken, { id: (await users.create({})).id }).then(
      () => 'bound',
      (error: unknown) => (error instanceof IamError ? error.code : String(error)),
    );
    const redeemed = await redeem(world.url, authenticated);

    const ended = { status: 'failed', error: 'login_interrupted', subject: null };
    expect(await logins()).toEqual([ended, ended]);
    expect(bound).toBe('binding_token_invalid');
    expect(redeemed.json()['error']).toBe('invalid_grant');
  });
});
