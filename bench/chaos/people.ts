import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Person } from '../../emulator/index.js';
import { deviceAuthorization, deviceGrant, type DeviceLogin, readLogin } from '../follow/device-client.js';
import { redirectUriOf } from '../host/host-app.js';
import {
  approve,
  authorizePath,
  browserHeaders,
  readTokens,
  tokenForm,
  type Tokens,
} from '../sign-in/redirect-client.js';
import type { World } from '../world.js';
import { type Client, type Reply, waiting } from './client.js';
import { SITE } from './stack.js';
import { type HeldSession, loginOf, type Promises, pushKey } from './promises.js';

/** The repetition of a request still gets the response that was lost. */
const GRACE_MS = 10_000;
const POLL_MS = 3_000;
/** Polls after a scan that WeChat saw answered. */
const MOST_POLLS = 10;
/** Somebody who starts this often in vain calls it broken. */
const MOST_STARTS = 40;

/** A sign-in of which all that is left is to collect its tokens; null: it failed, and its person starts again. */
type Finish = () => Promise<Tokens | null>;

/** People who sign in, with browsers and front-ends that repeat what failed as real ones do. */
export class People {
  constructor(
    private readonly world: World,
    private readonly client: Client,
    private readonly promises: Promises,
  ) {}

  /** One person's day: a first sign-in, by a way or by both at once, and another one by the other way. */
  async live(turn: number): Promise<void> {
    const person = this.world.wechat.person({ nickname: '小兰' });
    if (turn % 4 === 0) {
      await this.untilIn(person, () => this.both(person));
    } else {
      const ways = [() => this.byRedirect(person), () => this.byFollowing(person)];
      for (const way of turn % 2 === 0 ? ways : ways.reverse()) await this.untilIn(person, way);
    }
  }

  /** Refreshes a session, and repeats that with the same token until a response arrives. */
  async refresh(session: HeldSession): Promise<void> {
    session.isBusy = true;
    const startedAt = performance.now();
    const form = tokenForm({ grant_type: 'refresh_token', refresh_token: session.refreshToken });
    const reply = await this.repeat(100, () =>
      this.client.send('refresh', { method: 'POST', path: '/iam/token', ...form }),
    );
    const isLate = performance.now() - startedAt > GRACE_MS;
    if (reply?.status === 200) this.promises.renew(session, readTokens(reply.text));
    else if (isLate) session.isOver = true;
    else this.promises.broken.push(`session ${session.id}: refresh refused: ${reply?.text ?? 'no response'}`);
    session.isBusy = false;
  }

  /** Uses the access token at any replica. */
  async visit({ id, accessToken }: HeldSession): Promise<void> {
    const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/json' };
    const reply = await this.client.send('guarded request', { path: '/guarded', headers });
    if (reply !== null && reply.status < 500 && reply.status !== 200)
      this.promises.broken.push(`session ${id}: the access token was refused: ${reply.status} ${reply.text}`);
  }

  private async untilIn(person: Person, way: () => Promise<readonly (Tokens | null)[]>): Promise<void> {
    for (let start = 0; start < MOST_STARTS; start += 1) {
      const collected = (await way()).filter((tokens) => tokens !== null);
      for (const tokens of collected) await this.visit(this.promises.hold(person, tokens));
      if (collected.length > 0) return;
      await delay(1_000);
    }
    this.promises.broken.push(`somebody started ${MOST_STARTS} sign-ins in vain`);
  }

  private async byRedirect(person: Person): Promise<readonly (Tokens | null)[]> {
    const finish = await this.startRedirect(person);
    return [(await finish?.()) ?? null];
  }

  private async byFollowing(person: Person): Promise<readonly (Tokens | null)[]> {
    const finish = await this.startFollowing(person);
    return [(await finish?.()) ?? null];
  }

  /** Two replicas may create the user at the same time. */
  private async both(person: Person): Promise<readonly (Tokens | null)[]> {
    const redirect = await this.startRedirect(person);
    const following = await this.startFollowing(person);
    return Promise.all([redirect?.() ?? null, following?.() ?? null]);
  }

  /** Up to WeChat's page that goes back to the callback. */
  private async startRedirect(person: Person): Promise<Finish | null> {
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const path = authorizePath(this.world.publicUrl, challenge, SITE);
    const started = await this.navigate('start of a sign-in', path, '');
    // Not to the client, with an error.
    if (started?.location == null || started.location.origin === this.world.publicUrl) return null;
    const callback = await approve(this.world.wechat, started.location, person);
    return async () => {
      const { pathname, search } = callback;
      const returned = await this.navigate('callback', pathname + search, started.cookie);
      const code = returned?.location?.searchParams.get('code') ?? null;
      return code === null ? null : this.redeem(code, verifier);
    };
  }

  private async redeem(code: string, verifier: string): Promise<Tokens | null> {
    this.promises.askedLogins.add(loginOf(code));
    const form = tokenForm({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUriOf(this.world.publicUrl),
      code_verifier: verifier,
    });
    const reply = await this.repeat(5, () =>
      this.client.send('token for a code', { method: 'POST', path: '/iam/token', ...form }),
    );
    return reply?.status === 200 ? readTokens(reply.text) : null;
  }

  /** Up to the scan that WeChat has pushed. */
  private async startFollowing(person: Person): Promise<Finish | null> {
    const { path, ...form } = deviceAuthorization;
    const started = await this.repeat(3, () =>
      this.client.send('QR code', { method: 'POST', path, ...form }),
    );
    if (started?.status !== 200) return null;
    const login = readLogin(JSON.parse(started.text));
    return (await this.isScanPushed(person, login)) ? () => this.collect(login) : null;
  }

  /** The emulator delivers as WeChat does, three times at most; its attempts go by the proxy too. */
  private async isScanPushed(person: Person, { content }: DeviceLogin): Promise<boolean> {
    const result = await person.scan(content);
    const delivery = result.kind === 'chat' ? result.delivery : undefined;
    for (const { error } of delivery?.attempts ?? []) this.client.note('push: scan', error ?? null);
    if (delivery?.outcome !== 'answered') return false;
    this.promises.acknowledged.add(pushKey(delivery.fields));
    return true;
  }

  private async collect({ deviceCode }: DeviceLogin): Promise<Tokens | null> {
    this.promises.askedLogins.add(loginOf(deviceCode));
    const form = tokenForm({ grant_type: deviceGrant, device_code: deviceCode });
    for (let poll = 0; poll < MOST_POLLS; poll += 1) {
      const reply = await this.client.send('poll', { method: 'POST', path: '/iam/token', ...form });
      if (reply?.status === 200) return readTokens(reply.text);
      const isOver = reply?.status === 400 && !waiting.test(reply.text);
      if (isOver) return null;
      if (reply?.status === 400 && poll === MOST_POLLS - 1)
        this.promises.broken.push(`an acknowledged scan did not count: ${reply.text}`);
      await delay(POLL_MS);
    }
    return null;
  }

  /** A person reloads a page that failed, once. */
  private navigate(operation: string, path: string, cookie: string): Promise<Reply | null> {
    const headers = { ...browserHeaders, cookie };
    return this.repeat(2, () => this.client.send(operation, { path, headers }));
  }

  /** Sends again while no replica has responded, or one only to say that it cannot. */
  private async repeat(most: number, send: () => Promise<Reply | null>): Promise<Reply | null> {
    for (let attempt = 1; ; attempt += 1) {
      const reply = await send();
      if (attempt === most || (reply !== null && reply.status < 500)) return reply;
      await delay(500);
    }
  }
}
