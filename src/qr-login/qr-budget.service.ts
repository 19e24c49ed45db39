import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { recordRefusal } from '../audit/record-audit.js';
import { Clock } from '../runtime/clock.js';
import { queryRows, sql, raw, type Sql } from '../database/sql.js';
import type { IamError } from '../errors/iam.error.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { networksOf } from '../runtime/networks-of.js';
import {
  RateLimits,
  type RefusedPoints,
  type TakenPoints,
  type Tier,
} from '../database/rate-limits.service.js';
import type { Reserved } from '../sign-in/failure-limits.service.js';

/** The first statement of a start, which takes the points of its tiers too, and the call to WeChat that they pay for. */
interface PaidCode<C, T> {
  readonly claim: (tiers: readonly Tier[] | null) => Promise<Reserved<C>>;
  readonly make: (value: C) => Promise<T>;
}

/** For how long WeChat counts the codes of an app. */
export type CodeQuota = 'day' | 'minute';

/** The app whose budget a code takes. */
interface PayingApp {
  readonly appid: string;
  readonly quota: CodeQuota;
}

/** Who asks for a code; no app where codes cost nothing at WeChat. */
interface Payer {
  readonly origin: RequestOrigin;
  readonly app?: PayingApp | undefined;
}

const MINUTE = 60;
const DAY = 86_400;
/** The part of an account's codes that is there for everybody. */
const SHARE = 0.75;
/** The part after which the operator is warned, while everybody still gets codes. */
export const ALARM = 0.7;
/** A network that has had no more codes than these lately may use the rest too. */
const RARE = 20;
/** A log line for each account, no more often than this. */
const WARN_MS = 600_000;
const BUDGET = 'qr:budget:';
/** Apart from `BUDGET`, whose keys are the days of Official Accounts. */
const MINUTE_BUDGET = 'qr:minute-budget:';
/** Of an app's 5,000 codes a minute: a bucket that is emptied at once gives as many again before the minute is over. */
const PER_APP_AND_MINUTE = 2_500;
const budgetNames: Readonly<Record<CodeQuota, string>> = {
  day: 'its QR codes (rateLimits.qrPerAccountAndDay)',
  minute: "a minute's mini program codes",
};

/** `least`: time until the bucket is full again, in milliseconds. */
const usedSql = (least: number): Sql => sql`
  /* background */ SELECT substr(key, ${BUDGET.length + 1}::int) AS appid, expire - extract(epoch FROM clock_timestamp())::float8 * 1000 AS left_ms
  FROM iam.rate_limits WHERE key LIKE ${raw(`'${BUDGET}%'`)} AND expire > extract(epoch FROM clock_timestamp()) * 1000 + ${least}::float8
  ORDER BY expire DESC LIMIT 20`;
const usedRow = z.object({ appid: z.string(), left_ms: z.number() });

/**
 * The codes that WeChat makes: for an Official Account in a day, for a mini program in a minute. They are shared out among the networks
 * that start logins, so that a few of them leave some for everybody else.
 */
@Injectable()
export class QrBudget {
  private readonly logger = new IamLogger(QrBudget.name);
  private readonly warnedAt = new Map<string, number>();

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly limits: RateLimits,
    private readonly clock: Clock,
  ) {}

  /**
   * Takes the points of a code with the row that `claim` stores, then runs `make`, which has WeChat make the code; one that was
   * not made costs the minute alone. @throws IamError `rate_limited`
   */
  async spend<C, T>(payer: Payer, { claim, make }: PaidCode<C, T>): Promise<T> {
    const { points, value } = await claim(this.tiersOf(payer));
    if (points === null) return make(value);
    if ('tier' in points) throw await this.refuse(payer, points);
    if (payer.app !== undefined) this.watch(payer.app, points);
    try {
      return await make(value);
    } catch (thrown) {
      await this.limits.release(points, ({ seconds }) => seconds !== MINUTE);
      throw thrown;
    }
  }

  /** The accounts that have used more than `least` of their budget; 1 is all of it. */
  async used(least = 0): Promise<{ readonly appid: string; readonly used: number }[]> {
    if (this.options.rateLimits === 'off') return [];
    const rows = await queryRows(this.dataSource, usedRow, usedSql(least * DAY * 1000));
    return rows.map(({ appid, left_ms }) => ({ appid, used: Math.min(1, left_ms / (DAY * 1000)) }));
  }

  private async refuse({ app }: Payer, refused: RefusedPoints): Promise<IamError> {
    const { tier } = refused;
    if (app !== undefined && tier.share !== undefined) this.warn(app, 1);
    const detail = { limit: tier.name, at: app?.appid ?? 'qr' };
    await recordRefusal(this.dataSource, { action: 'limit.refused', detail });
    return this.limits.refusal(refused);
  }

  private watch(app: PayingApp, { tiers, used }: TakenPoints): void {
    const points = tiers.at(-1)?.points ?? 1;
    const share = ((used.at(-1) ?? 0) + 1) / points;
    if (share > ALARM) this.warn(app, share);
  }

  private warn({ appid, quota }: PayingApp, share: number): void {
    const now = this.clock.elapsed();
    if (now - (this.warnedAt.get(appid) ?? -WARN_MS) < WARN_MS) return;
    this.warnedAt.set(appid, now);
    this.logger.warn(
      `${appid} has used ${Math.floor(share * 100)}% of ${budgetNames[quota]}: from ${SHARE * 100}% on only networks that had few get one`,
    );
  }

  /** The app last. */
  private tiersOf({ app, origin: { ip } }: Payer): Tier[] | null {
    const { rateLimits } = this.options;
    if (rateLimits === 'off') return null;
    const { narrow, wide, shares } = networksOf(ip ?? 'unknown');
    const daily = { kind: 'bucket', seconds: DAY } as const;
    const ofNetwork = ([network, times]: (typeof shares)[number]): Tier => {
      const points = rateLimits.qrPerAddressAndDay * times;
      return { ...daily, name: 'qr:address:day', key: `qr:day:${network}`, points };
    };
    const { qrPerAddressAndMinute: perMinute, qrPerAccountAndDay: perAccount } = rateLimits;
    const ofApp = ({ appid, quota }: PayingApp): Tier[] => [
      { ...daily, name: 'qr:rare', key: `qr:rare:${appid}:${wide ?? narrow}`, kind: 'soft', points: RARE },
      quota === 'day'
        ? { ...daily, name: 'qr:account', key: `${BUDGET}${appid}`, points: perAccount, share: SHARE }
        : { ...minutely, key: `${MINUTE_BUDGET}${appid}` },
    ];
    return [
      { name: 'qr:address', key: `qr:minute:${narrow}`, kind: 'window', points: perMinute, seconds: MINUTE },
      ...shares.map(ofNetwork),
      ...(app === undefined ? [] : ofApp(app)),
    ];
  }
}

const minutely = {
  name: 'qr:app:minute',
  kind: 'bucket',
  seconds: MINUTE,
  points: PER_APP_AND_MINUTE,
  share: SHARE,
} as const;
