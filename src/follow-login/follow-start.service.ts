import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { sha256 } from '../crypto/hash.js';
import { isForeignKeyViolation, violatedConstraint } from '../database/database-errors.js';
import { queryRow, sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { toIamError } from '../http/to-iam-error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { Scenes } from '../webhook/inbox-event.js';
import { FollowTokens, NUMBER_DIGITS, showUserCode } from './codes-and-tokens.service.js';
import {
  type Confirmation,
  confirmationOf,
  followAccountOf,
  type FollowLogin,
  followLoginRow,
  QR_SECONDS,
  storedColumns,
} from './follow-login.js';
import { FollowLogins } from './follow-logins.service.js';
import { LoginWatch } from './login-watch.service.js';
import { QrBudget } from './qr-budget.service.js';

/** RFC 8628 §3.2, with a picture of the QR code and a stream of its states. */
export const followStartedResponse = z.object({
  device_code: z.string(),
  user_code: z.string().meta({
    description: 'The code to show: it is typed at `verification_uri`, and the phone of a scan compares it',
  }),
  number: z.string().meta({
    description: 'Four digits, which may be typed on the phone of a scan in place of `user_code`',
  }),
  verification_uri: z.string().meta({ description: 'A page of ours to type `user_code` on, in any browser' }),
  verification_uri_complete: z.string().meta({ description: 'The content of the QR code' }),
  expires_in: z.number().meta({ description: 'Seconds' }),
  interval: z.number().meta({ description: 'Seconds between polls' }),
  qr_image: z.string().meta({ description: 'The QR code as a data URL (SVG)' }),
  confirmation: z
    .enum(['tap', 'number', 'none'])
    .meta({ description: 'What the phone must do after the scan' }),
  events_uri: z.string(),
});

/** Seconds between polls; sooner is `slow_down`. */
export const POLL_SECONDS = 2;

/** Who asks for a QR code, and for what kind of ending. */
export interface FollowRequest {
  readonly provider: string;
  readonly clientId: string;
  /** Of the sign-in page, which ends in a code; absent for a client that polls for tokens. */
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  /** Hash of the state of the page's attempt, which its browser alone carries. */
  readonly attemptHash?: string;
  /** Seconds until that attempt ends. */
  readonly attemptSeconds?: number;
  /** Who links an identity by it, instead of signing in. */
  readonly link?: ActingSession | undefined;
  readonly origin: RequestOrigin;
}

/** The response of RFC 8628 §3.2 with a picture of the QR code and a stream of its states. */
export type FollowStarted = Readonly<z.infer<typeof followStartedResponse>>;

/** A stored login, which waits for the scan of its scene. */
interface StoredFollow {
  readonly login: FollowLogin;
  /** The four digits. */
  readonly number: string;
  readonly confirmation: Confirmation;
  /** The code of RFC 8628; null for a login of our own page, which shows none. */
  readonly typedCode: string | null;
  /** Life of the QR code: no longer than that of the attempt whose page shows it. */
  readonly seconds: number;
}

/** Starts a device authorization: one row, then one QR code of the Official Account. */
@Injectable()
export class FollowStart {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly providers: IdentityProviders,
    private readonly follows: FollowLogins,
    private readonly watch: LoginWatch,
    private readonly budget: QrBudget,
    private readonly gateway: WechatGateway,
    private readonly scenes: Scenes,
    private readonly tokens: FollowTokens,
    private readonly urls: IamUrls,
  ) {}

  /** @throws IamError `invalid_token` when the user who links has been erased since, and what `followStartErrors` lists */
  async begin(request: FollowRequest): Promise<FollowStarted> {
    const provider = await this.providers.getEnabled(request.provider);
    const app = followAccountOf(provider);
    const { stored, content } = await this.budget.spend(app.appid, request.origin, () =>
      this.make(app, provider, request),
    );
    // This process knows the row that it has just written: the first poll costs no query.
    this.watch.begin(stored.login);
    return this.describe(stored, content);
  }

  /** The row comes before WeChat's QR code, so that no scan can come too early. */
  private async make(
    app: WechatApp,
    provider: IdentityProvider,
    request: FollowRequest,
  ): Promise<{ readonly stored: StoredFollow; readonly content: string }> {
    const scene = this.scenes.create();
    const stored = await this.store(provider, { ...request, appid: app.appid, scene });
    try {
      return { stored, content: await this.gateway.createSceneQrCode(app, scene, stored.seconds) };
    } catch (thrown) {
      await this.follows.fail(stored.login, toIamError(thrown).code);
      throw thrown;
    }
  }

  /** Two live logins never have the same code to type. */
  private async store(provider: IdentityProvider, start: FollowStartRow): Promise<StoredFollow> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.insert(provider, start);
      } catch (error) {
        if (violatedConstraint(error) !== 'logins_user_code_hash_key' || tries === 3) throw error;
      }
    }
  }

  private async insert(provider: IdentityProvider, start: FollowStartRow): Promise<StoredFollow> {
    const { clientId, redirectUri = null, codeChallenge = null, attemptHash = null, link, origin } = start;
    const loginId = uuidv7();
    const seconds = Math.min(QR_SECONDS, start.attemptSeconds ?? QR_SECONDS);
    const number = String(randomInt(10_000)).padStart(NUMBER_DIGITS, '0');
    const typed = redirectUri === null && link === undefined ? this.tokens.createUserCode(loginId) : null;
    const confirmation = confirmationOf(provider, link);
    const statement = sql`
      INSERT INTO iam.logins (id, scene_hash, user_code, user_code_hash, status, provider, method, appid, client_id, redirect_uri,
                              code_challenge, confirmation, ip, user_agent, user_id, link_session_id, attempt_hash,
                              redeem_before, attempt_ends_at, expires_at)
      VALUES (${loginId}, ${sha256(start.scene)}, ${number}, ${typed?.hash ?? null}, 'pending', ${provider.slug}, 'follow',
              ${start.appid}, ${clientId}, ${redirectUri}, ${codeChallenge}, ${confirmation}, ${origin.ip},
              ${origin.userAgent}, ${link?.userId ?? null}, ${link?.sessionId ?? null}, ${attemptHash},
              now() + make_interval(secs => ${seconds}::int),
              now() + make_interval(secs => ${start.attemptSeconds ?? null}::int), now() + interval '1 day')
      RETURNING id, status, error, ${storedColumns}, true AS is_live`;
    const inserted = queryRow(this.dataSource, followLoginRow, statement);
    const login = await inserted.catch((cause: unknown) => refuseErased(start, cause));
    if (login === null) throw new IamError('internal_error', 'an INSERT returns its row');
    return { login, number, confirmation, typedCode: typed?.code ?? null, seconds };
  }

  private async describe(stored: StoredFollow, content: string): Promise<FollowStarted> {
    const { number, confirmation, typedCode, seconds } = stored;
    const { default: QRCode } = await import('qrcode');
    const svg = await QRCode.toString(content, { type: 'svg', margin: 2, errorCorrectionLevel: 'M' });
    return {
      device_code: this.tokens.mint('device-code', stored.login.id),
      user_code: typedCode === null ? number : showUserCode(typedCode),
      number,
      verification_uri: typedCode === null ? content : this.urls.endpoint('device'),
      verification_uri_complete: content,
      expires_in: seconds,
      interval: POLL_SECONDS,
      qr_image: `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`,
      confirmation,
      events_uri: this.urls.endpoint(
        `device_authorization/events?watch=${this.tokens.mint('watch', stored.login.id)}`,
      ),
    };
  }
}

/** What becomes a row. */
type FollowStartRow = FollowRequest & { readonly appid: string; readonly scene: string };

/** A link is the only start that names a user. */
function refuseErased({ link }: FollowStartRow, cause: unknown): never {
  if (link === undefined || !isForeignKeyViolation(cause)) throw cause;
  throw new IamError('invalid_token', `the user of session ${link.sessionId} is erased`, { cause });
}
