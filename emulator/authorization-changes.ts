import type { Delivery } from './push/delivery.js';
import type { PushFields } from './push/push-fields.js';
import type { Pushes } from './push/pushes.js';
import type { AppState } from './world/app-state.js';
import type { PersonId } from './world/identities.js';
import type { World } from './world/world.js';

/** What a withdrawal concerns when nothing else is said: nickname and picture, or everything (protocol F.5). */
const revokeInfo: Record<AppState['kind'], string> = {
  official: '205',
  website: '301',
  mobile: '301',
  mini: '6',
};

/** What apps must be told when a person takes something back (protocol F.5). */
export class AuthorizationChanges {
  constructor(
    private readonly world: World,
    private readonly pushes: Pushes,
  ) {}

  /** The person withdraws an authorization: its tokens end and the app is told what to delete. */
  async revoke(person: PersonId, app: AppState, info = revokeInfo[app.kind]): Promise<Delivery> {
    this.world.grants.withdraw(person, app.appid);
    this.world.snsTokens.revoke(person, app.appid);
    return this.#tell(person, app, { Event: 'user_authorization_revoke', RevokeInfo: info });
  }

  /** The person closes the WeChat account: every app that knows them is told. */
  async close(person: PersonId): Promise<readonly Delivery[]> {
    this.world.people.get(person).closed = true;
    const apps = this.#appsKnowing(person);
    for (const app of apps) this.world.followers.unfollow(person, app.appid);
    return Promise.all(
      apps.map((app) => this.#tell(person, app, { Event: 'user_authorization_cancellation' })),
    );
  }

  /** The platform removes a risky nickname and picture: apps authorized in the last 30 days are told. */
  async cleanProfile(person: PersonId): Promise<readonly Delivery[]> {
    const state = this.world.people.get(person);
    state.nickname = '微信用户';
    state.avatar = '';
    const apps = this.#find(this.world.grants.appsOf(person, 30));
    return Promise.all(apps.map((app) => this.#tell(person, app, { Event: 'user_info_modified' })));
  }

  #appsKnowing(person: PersonId): readonly AppState[] {
    const { grants, followers, apps } = this.world;
    const followed = apps.all().filter(({ appid }) => followers.has(person, appid));
    return [...new Set([...this.#find(grants.appsOf(person)), ...followed])];
  }

  #find(appids: readonly string[]): readonly AppState[] {
    return appids.flatMap((appid) => this.world.apps.find(appid) ?? []);
  }

  /** FromUserName is the platform's own account; the person stands in OpenID. */
  async #tell(person: PersonId, app: AppState, event: PushFields): Promise<Delivery> {
    const { identities, clock } = this.world;
    const { Event = '', ...more } = event;
    const unionid = this.world.unionid(person, app);
    const fields = {
      ToUserName: app.originalId,
      FromUserName: identities.openid('wechat', app.appid),
      CreateTime: clock.seconds(),
      MsgType: 'event',
      Event,
      OpenID: this.world.openid(person, app),
      ...(unionid === undefined ? {} : { UnionID: unionid }),
      AppID: app.appid,
      ...more,
    };
    return this.pushes.deliver({ app, fields, takesReply: false });
  }
}
