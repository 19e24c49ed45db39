import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { reasonOf } from '../../errors/unknown.js';
import { ClientRegistry, type Client } from '../../http/client-registry.service.js';
import { OutgoingCalls } from '../../http/outgoing-calls.service.js';
import { BackgroundLoop } from '../../runtime/background-loop.js';
import { IamLogger } from '../../runtime/iam-logger.js';
import { Jwts } from '../../sessions/jwts.service.js';
import { SubjectIdentifiers } from '../../sessions/subject-identifiers.service.js';
import { LogoutOutbox, type LeasedLogout } from './logout-outbox.service.js';

const POLL_MS = 2_000;
/** Sent at the same time. */
const ROOM = 10;
/** What an application says beyond its status is not read. */
const MOST_BYTES = 64 * 1024;
/** Life of a logout token, in seconds. */
const TOKEN_SECONDS = 120;

/** `typ` of a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4). */
const LOGOUT_TOKEN_TYPE = 'logout+jwt';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** Tells applications at their `backchannel_logout_uri` of sessions that have ended: at least once, from any replica. */
@Injectable()
export class LogoutSender implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new IamLogger('IamBackchannel');
  private readonly loop = new BackgroundLoop({
    work: () => this.sendDue(),
    every: POLL_MS,
    onTrouble: (reason) => this.logger.warn(`cannot look for logout tokens: ${reason}`),
  });
  private isStopping = false;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly outbox: LogoutOutbox,
    private readonly registry: ClientRegistry,
    private readonly calls: OutgoingCalls,
    private readonly subjects: SubjectIdentifiers,
    private readonly jwts: Jwts,
  ) {}

  onApplicationBootstrap(): void {
    if (this.options.background) this.loop.start();
  }

  /** Waits for those under way; the other replicas send the rest. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    await this.loop.stop();
  }

  /** No query where no application has an address. A slow one holds up this round and none of another replica. */
  async sendDue(): Promise<void> {
    if (!this.registry.hasBackchannel) return;
    for (;;) {
      const leased = await this.outbox.takeDue(ROOM);
      await Promise.all(leased.map((logout) => this.send(logout)));
      if (leased.length === 0 || this.isStopping) return;
    }
  }

  private async send(logout: LeasedLogout): Promise<void> {
    const client = this.registry.find(logout.client_id);
    const url = client?.backchannelLogoutUri ?? null;
    if (client === undefined || url === null) return this.outbox.removeUnwanted(logout);
    const failure = await this.deliver(url, client, logout).catch((error: unknown) => reasonOf(error));
    if (failure === null) return this.outbox.remove(logout);
    const what = `logout token for "${client.id}" about session ${logout.session_id}`;
    if (await this.outbox.fail(logout, failure))
      this.logger.error(`${what} was given up after the last attempt: ${failure}`);
    else this.logger.warn(`${what} was not taken and will be sent again: ${failure}`);
  }

  /** Null: taken. A redirect is not followed, and counts as a failure. */
  private async deliver(url: string, client: Client, logout: LeasedLogout): Promise<string | null> {
    const form = { logout_token: await this.tokenFor(client, logout) };
    const { status } = await this.calls.send({ url, form, maxBytes: MOST_BYTES });
    return status >= 200 && status < 300 ? null : `status ${status}`;
  }

  /** Another `jti` for each attempt: an application that refuses a repeated one would never have taken a lost response. */
  private async tokenFor(
    client: Client,
    { session_id: sid, user_id: userId }: LeasedLogout,
  ): Promise<string> {
    const claims = {
      aud: client.id,
      jti: randomUUID(),
      sub: await this.subjects.of(userId, client),
      sid,
      events: { [EVENT]: {} },
    };
    const header = { type: LOGOUT_TOKEN_TYPE, seconds: TOKEN_SECONDS, algorithm: client.idTokenAlgorithm };
    return this.jwts.sign(claims, header);
  }
}
