import type { AnyApp } from '../apps/find-app.js';
import { AppRegistry } from '../apps/register-app.js';
import type { z } from 'zod';
import type { Route } from '../http/router.js';
import { ControlError } from './control-error.js';
import { controlRoute } from './control-route.js';
import { getApp, getOfficialAccount } from './find.js';
import { schemas } from './schemas.js';
import type { Controls } from './controls.js';
import { appView } from './views.js';

/** Open Platform accounts and apps. */
export function appRoutes(hand: Controls): readonly Route[] {
  return [
    controlRoute('POST', '/accounts', schemas.nothing, () => ({
      id: hand.platform.world.apps.openAccount(),
    })),
    controlRoute('POST', '/apps', schemas.newApp, ({ input }) => appView(register(hand, input))),
    controlRoute('GET', '/apps/:appid', schemas.nothing, ({ params }) =>
      appView(getApp(hand, params['appid'])),
    ),
    controlRoute('POST', '/apps/:appid', schemas.appChanges, ({ input, params }) => {
      const app = getApp(hand, params['appid']);
      change(app, input);
      return appView(app);
    }),
    controlRoute('POST', '/apps/:appid/verify', schemas.nothing, ({ params }) =>
      getApp(hand, params['appid']).verifyServer(),
    ),
    controlRoute('POST', '/apps/:appid/migration', schemas.migration, ({ input, params }) => {
      const from = getOfficialAccount(hand, params['appid'] ?? '');
      from.migrateTo(getOfficialAccount(hand, input.to));
      if (input.confirmed === true) from.confirmMigration();
    }),
    controlRoute('POST', '/apps/:appid/migration/confirm', schemas.nothing, ({ params }) => {
      getOfficialAccount(hand, params['appid'] ?? '').confirmMigration();
    }),
    controlRoute('POST', '/apps/:appid/push', schemas.push, ({ input, params }) => {
      const { fields, ...options } = input;
      return getApp(hand, params['appid']).push(fields, options);
    }),
    controlRoute('GET', '/apps/:appid/deliveries', schemas.nothing, ({ params }) => ({
      deliveries: getApp(hand, params['appid']).deliveries,
    })),
  ];
}

type NewApp = Parameters<Parameters<typeof controlRoute<typeof schemas.newApp>>[3]>[0]['input'];
type AppChanges = z.infer<typeof schemas.appChanges>;

function register({ platform }: Controls, input: NewApp): AnyApp {
  const { kind, account, callbackDomain, oauthDomain, ...options } = input;
  if (account !== undefined && !platform.world.apps.accounts().includes(account)) {
    throw new ControlError(`no Open Platform account has the id ${account}`, 404);
  }
  const desk = new AppRegistry(platform, account);
  if (kind === 'mobile') return desk.mobileApp(options);
  if (kind === 'mini') return desk.miniProgram(options);
  if (kind === 'website') {
    if (callbackDomain === undefined) throw new ControlError('a website app needs a callbackDomain');
    return desk.websiteApp({ ...options, callbackDomain });
  }
  if (oauthDomain === undefined) throw new ControlError('an Official Account needs an oauthDomain');
  return desk.officialAccount({ ...options, oauthDomain });
}

/** `accountId: null` takes the app out of its Open Platform account. */
function change(app: AnyApp, { server, accountId, ...changes }: AppChanges): void {
  Object.assign(app.settings, changes);
  if (server) Object.assign(app.settings.server, server);
  if (accountId === null) delete app.settings.accountId;
  else if (accountId !== undefined) app.settings.accountId = accountId;
}
