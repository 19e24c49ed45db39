import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { sha256 } from '../crypto/hash.js';
import { isForeignKeyViolation, violatedConstraint } from '../database/database-errors.js';
import { readTaken, takenRow, takeSql, type Tier } from '../database/rate-limits.service.js';
import { queryRow, sql, type Sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { IamError, type IamErrorCode, providerErrors, wechatErrors } from '../errors/iam.error.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { toIamError } from '../http/to-iam-error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { Reserved } from '../sign-in/failure-limits.service.js';
import { requestColumns, requestValues, type AuthorizationRequest } from '../sign-in/login.js';
import type { Consent } from '../users/subject.js';
import { LoginTokens, NUMBER_DIGITS, showUserCode } from './codes-and-tokens.service.js';
import { confirmationOf, type QrLogin, qrLoginRow, type QrWayName, storedColumns } from './qr-login.js';
import { QrLogins } from './qr-logins.service.js';
import { LoginWatch } from './login-watch.service.js';
import { QrBudget } from './qr-budget.service.js';
import { type QrCode, QrWays } from './qr-way.js';

/** RFC 8628 §3.2, with a picture of the QR code and a stream of its states. */
export const qrStartedResponse = z.object({
  device_code: z.string(),
  user_code: z.string().meta({
    description: 'The code to show: it is typed at `verification_uri`, and the phone of a scan compares it',
  }),
  number: z.string().meta({
    description: 'Four digits, which may be typed on the phone of a scan in place of `user_code`',
  }),
  verification_uri: z.string().meta({ description: 'A page of ours to type `user_code` on, in any browser' }),
  verification_uri_complete: z
    .string()
    .optional()
    .meta({ description: 'The content of the QR code; absent where only WeChat knows it' }),
  expires_in: z.number().meta({ description: 'Seconds' }),
  interval: z.number().meta({ description: 'Seconds between polls' }),
  qr_image: z.string().meta({ description: 'The QR code as a data URL: SVG, or as WeChat drew it' }),
  open_link: z
    .string()
    .optional()
    .meta({ description: 'Opens the mini program on a phone, in place of the scan' }),
  confirmation: z
    .enum(['tap', 'number', 'none'])
    .meta({ description: 'What the phone must do after the scan' }),
  events_uri: z.string(),
});

/** The errors of a start, for descriptions. */
export const qrStartErrors: readonly IamErrorCode[] = [
  'invalid_client',
  'client_disabled',
  'unauthorized_client',
  'invalid_scope',
  'rate_limited',
  ...providerErrors,
  'method_unavailable',
  'wechat_mp_not_configured',
  'wechat_open_not_configured',
  'wechat_mini_not_configured',
  ...wechatErrors,
];

/** A QR code of an Official Account. */
export const qrStartedExample: z.infer<typeof qrStartedResponse> = {
  device_code: 'd9Qf…',
  user_code: 'WDJB-MJHT',
  number: '4821',
  verification_uri: 'https://app.example.com/iam/device',
  verification_uri_complete: 'http://weixin.qq.com/q/02aB…',
  expires_in: 300,
  interval: 2,
  qr_image: 'data:image/svg+xml;base64,PHN2Zy…',
  confirmation: 'tap',
  events_uri: 'https://app.example.com/iam/device_authorization/events?watch=…',
};

/** Seconds between polls; sooner is `slow_down`. */
export const POLL_SECONDS = 2;

/** A request for a QR code: by a client that polls, by the sign-in page, or to link an identity. */
interface QrRequest {
  readonly provider: string;
  /** The way; absent for that of the row. */
  readonly method?: QrWayName | undefined;
  readonly clientId: string;
  /** Of the sign-in page, which ends in a code; absent for a client that polls for tokens. */
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  readonly request?: AuthorizationRequest | undefined;
  /** Hash of the state of the page's attempt, which its browser alone carries. */
  readonly attemptHash?: string;
  /** Seconds until that attempt ends. */
  readonly attemptSeconds?: number;
  /** Who links an identity by it, instead of signing in. */
  readonly link?: ActingSession | undefined;
  /** Of the sign-in page, for a way that proves the person before the page hears of it. */
  readonly consent?: Consent | undefined;
  readonly origin: RequestOrigin;
}

/** The response of RFC 8628 §3.2 with a picture of the QR code and a stream of its states. */
export type QrStarted = Readonly<z.infer<typeof qrStartedResponse>>;

/** Starts a device authorization: one row, then one QR code, which its way makes. */
@Injectable()
export class QrStart {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly providers: IdentityProviders,
    private readonly logins: QrLogins,
    private readonly watch: LoginWatch,
    private readonly budget: QrBudget,
    private readonly ways: QrWays,
    private readonly tokens: LoginTokens,
    private readonly urls: IamUrls,
  ) {}

  /** @throws IamError `invalid_token` when the user who links has been erased since, and what `qrStartErrors` lists */
  async begin(request: QrRequest): Promise<QrStarted> {
    const provider = await this.providers.getEnabled(request.provider);
    const way = this.ways.get(request.method ?? provider.qr.with);
    const app = way.accountOf(provider);
    const scene = way.createScene();
    const { attemptSeconds = way.seconds } = request;
    const seconds = Math.min(way.seconds, attemptSeconds);
    const start = { ...request, provider, method: way.name, appid: app.appid, scene, seconds };
    const { quota } = way;
    const payer = { origin: request.origin, app: quota === null ? undefined : { appid: app.appid, quota } };
    const { login, code } = await this.budget.spend(payer, {
      claim: (tiers) => this.store(start, tiers),
      make: async (stored) => {
        const login = requireRow(stored);
        try {
          return { login, code: await way.makeCode({ provider, app, scene, seconds }) };
        } catch (thrown) {
          await this.logins.fail(login, toIamError(thrown).code);
          throw thrown;
        }
      },
    });
    // This process knows the row that it has just written: the first poll costs no query.
    this.watch.begin(login);
    return this.describe(login, code, seconds);
  }

  /** The row comes before the QR code, so that no scan can come too early. Two live logins never have the same code to type. */
  private async store(start: QrStartRow, tiers: readonly Tier[] | null): Promise<Reserved<QrLogin | null>> {
    for (let tries = 1; ; tries += 1) {
      try {
        const row = await queryRow(this.dataSource, startedRow, this.insertSql(start, takeSql(tiers)));
        const points = tiers && readTaken(tiers, row);
        return { points, value: row?.id == null ? null : row };
      } catch (cause) {
        // A link is the only start that names a user.
        if (start.link !== undefined && isForeignKeyViolation(cause))
          throw new IamError('invalid_token', `the user of session ${start.link.sessionId} is erased`, {
            cause,
          });
        if (violatedConstraint(cause) !== 'logins_user_code_hash_key' || tries === 3) throw cause;
      }
    }
  }

  /** The row, if the points are there that the FROM item `take` takes. */
  private insertSql(start: QrStartRow, take: Sql): Sql {
    const { provider, clientId, redirectUri, codeChallenge, attemptHash, attemptSeconds } = start;
    const { link, consent, origin } = start;
    const loginId = uuidv7();
    const number = String(randomInt(10_000)).padStart(NUMBER_DIGITS, '0');
    const isTyped = redirectUri === undefined && link === undefined;
    return sql`
      WITH taken AS MATERIALIZED (SELECT * FROM ${take}), login AS (
        INSERT INTO iam.logins (id, scene_hash, user_code, user_code_hash, status, provider, method, appid, client_id, redirect_uri,
                                code_challenge, ${requestColumns}, confirmation, ip, user_agent, user_id, link_session_id, attempt_hash, subject,
                                redeem_before, attempt_ends_at, expires_at)
        SELECT ${loginId}::uuid, ${sha256(start.scene)}::text, ${number}::text, ${isTyped ? this.tokens.hashOfNewCode(loginId) : null}::text,
               'pending', ${provider.slug}::text, ${start.method}::text, ${start.appid}::text, ${clientId}::text, ${redirectUri ?? null}::text,
               ${codeChallenge ?? null}::text, ${requestValues(start.request)}, ${confirmationOf(provider, start)}::text, ${origin.ip}::text, ${origin.userAgent}::text,
               ${link?.userId ?? null}::uuid, ${link?.sessionId ?? null}::uuid, ${attemptHash ?? null}::text,
               ${consent === undefined ? null : JSON.stringify({ consent })}::jsonb,
               now() + make_interval(secs => ${start.seconds}::int),
               now() + make_interval(secs => ${attemptSeconds ?? null}::int), now() + interval '1 day'
        FROM taken WHERE taken.refused IS NULL
        RETURNING id, status, error, ${storedColumns}, true AS is_live
      ) SELECT taken.*, login.* FROM taken LEFT JOIN login ON true`;
  }

  private async describe(
    login: QrLogin,
    { content, image, openLink }: QrCode,
    seconds: number,
  ): Promise<QrStarted> {
    const code = this.tokens.userCodeOf(login);
    const number = login.user_code ?? '';
    const watch = this.tokens.mint('watch', login.id);
    return {
      device_code: this.tokens.mint('device-code', login.id),
      user_code: code === null ? number : showUserCode(code),
      number,
      verification_uri: code === null && content !== null ? content : this.urls.endpoint('device'),
      ...(content !== null && { verification_uri_complete: content }),
      expires_in: seconds,
      interval: POLL_SECONDS,
      qr_image: image ?? (await draw(content ?? '')),
      ...(openLink !== undefined && { open_link: openLink }),
      confirmation: login.confirmation ?? 'tap',
      events_uri: this.urls.endpoint(`device_authorization/events?watch=${watch}`),
    };
  }
}

/** A QR code as a data URL (SVG). */
async function draw(content: string): Promise<string> {
  const { default: QRCode } = await import('qrcode');
  const svg = await QRCode.toString(content, { type: 'svg', margin: 2, errorCorrectionLevel: 'M' });
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
}

/** What becomes a row. */
type QrStartRow = Omit<QrRequest, 'provider' | 'method'> & {
  readonly provider: IdentityProvider;
  readonly method: QrWayName;
  readonly appid: string;
  readonly scene: string;
  /** Life of the QR code: no longer than that of the attempt whose page shows it. */
  readonly seconds: number;
};

/** Points that were taken, and the login that was stored with them. */
const startedRow = z.union([qrLoginRow.extend(takenRow.shape), takenRow.extend({ id: z.null() })]);

function requireRow(login: QrLogin | null): QrLogin {
  if (login === null) throw new IamError('internal_error', 'an INSERT returns its row');
  return login;
}
