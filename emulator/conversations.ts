import type { Delivery } from './push/delivery.js';
import type { PushFields } from './push/push-fields.js';
import type { Pushes } from './push/pushes.js';
import { serviceFault, type ChatMessage } from './world/chats.js';
import type { OfficialAccountState } from './world/app-state.js';
import type { PersonId } from './world/identities.js';
import type { Scene } from './world/scenes.js';
import type { World } from './world/world.js';

const twoDays = 48 * 3600;
const shortWindow = { seconds: 60, messages: 3 };

/** What people do in their chats with Official Accounts, and what the accounts' servers are told of it. */
export class Conversations {
  constructor(
    private readonly world: World,
    private readonly pushes: Pushes,
  ) {}

  /** Follows, from a parametric QR code or just so; nothing happens to somebody who follows already. */
  async follow(person: PersonId, app: OfficialAccountState, scene?: Scene): Promise<Delivery | undefined> {
    const { followers, chats, clock } = this.world;
    if (followers.has(person, app.appid)) return undefined;
    followers.follow(person, app.appid, {
      since: clock.seconds(),
      subscribeScene: scene ? 'ADD_SCENE_QR_CODE' : 'ADD_SCENE_SEARCH',
      qrScene: scene?.isNumber ? Number(scene.key) : 0,
      qrSceneStr: scene && !scene.isNumber ? scene.key : '',
    });
    chats.allow(person, app.appid, shortWindow);
    const from = scene ? { EventKey: `qrscene_${scene.key}`, Ticket: scene.ticket } : { EventKey: '' };
    return this.#converse(person, app, { MsgType: 'event', Event: 'subscribe', ...from });
  }

  /** Stops following. A reply would reach nobody. */
  async unfollow(person: PersonId, app: OfficialAccountState): Promise<Delivery | undefined> {
    const { followers, chats } = this.world;
    if (!followers.has(person, app.appid)) return undefined;
    followers.unfollow(person, app.appid);
    chats.forget(person, app.appid);
    return this.#send(person, app, { MsgType: 'event', Event: 'unsubscribe', EventKey: '' }, false);
  }

  /** A follower scans a code again: the chat opens and the server hears of it, unless the code has expired. */
  async scanAgain(person: PersonId, app: OfficialAccountState, scene: Scene): Promise<Delivery> {
    this.world.chats.allow(person, app.appid, shortWindow);
    const fields = { MsgType: 'event', Event: 'SCAN', EventKey: scene.key, Ticket: scene.ticket };
    return this.#converse(person, app, fields);
  }

  /** Writes to the account; only followers can. */
  async say(person: PersonId, app: OfficialAccountState, text: string): Promise<Delivery> {
    const { followers, chats, rules } = this.world;
    if (!followers.has(person, app.appid)) throw new Error('only followers can write to an Official Account');
    chats.add(person, app.appid, { from: 'person', text });
    chats.allow(person, app.appid, { seconds: twoDays, messages: rules.customMessages });
    return this.#converse(person, app, { MsgType: 'text', Content: text, MsgId: this.#messageId() });
  }

  /** Taps an entry of the account's menu that reports a key. */
  async tapMenu(person: PersonId, app: OfficialAccountState, key: string): Promise<Delivery> {
    this.world.chats.allow(person, app.appid, shortWindow);
    return this.#converse(person, app, { MsgType: 'event', Event: 'CLICK', EventKey: key });
  }

  async #converse(person: PersonId, app: OfficialAccountState, fields: PushFields): Promise<Delivery> {
    const delivery = await this.#send(person, app, fields, true);
    const shown = toChat(delivery);
    if (shown) this.world.chats.add(person, app.appid, shown);
    return delivery;
  }

  async #send(
    person: PersonId,
    app: OfficialAccountState,
    fields: PushFields,
    takesReply: boolean,
  ): Promise<Delivery> {
    const openid = this.world.openid(person, app);
    const head = { ToUserName: app.originalId, FromUserName: openid, CreateTime: this.world.clock.seconds() };
    return this.pushes.deliver({ app, openid, takesReply, fields: { ...head, ...fields } });
  }

  /** A 64-bit number beyond what a double holds. */
  #messageId(): bigint {
    return (1n << 61n) | (this.world.randomness.bytes(8).readBigUInt64BE() >> 3n);
  }
}

function toChat(delivery: Delivery): (Partial<ChatMessage> & Pick<ChatMessage, 'from'>) | undefined {
  if (delivery.outcome === 'unsent') return undefined;
  if (delivery.outcome !== 'answered') return { from: 'wechat', text: serviceFault };
  return delivery.reply && { from: 'account', ...delivery.reply };
}
