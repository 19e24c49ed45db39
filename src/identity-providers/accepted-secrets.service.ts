import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { execute, queryRow, sql, type Sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { pairOf } from './confirmations.js';

/** How long a process takes for granted that its last note still stands. */
const NOTED_MS = 600_000;

/** An AppSecret that WeChat accepts takes the place of the one before, which a reset at WeChat has ended. */
const noteSql = (app: WechatApp): Sql => sql`
  INSERT INTO iam.accepted_secrets AS known (appid, pair) VALUES (${app.appid}, ${pairOf(app)})
  ON CONFLICT (appid) DO UPDATE SET pair = EXCLUDED.pair, accepted_at = now() WHERE known.pair <> EXCLUDED.pair`;

/**
 * The AppSecrets of website and mobile apps, which WeChat cannot be asked about: an exchange of a code that it accepted is the
 * only proof that one is right.
 */
@Injectable()
export class AcceptedSecrets {
  /** A row that changes gets new app objects. */
  private readonly noted = new WeakMap<WechatApp, number>();

  constructor(
    private readonly clock: Clock,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** WeChat has exchanged a code of this app; written by the first of many sign-ins. */
  async note(app: WechatApp): Promise<void> {
    const notedAt = this.noted.get(app);
    if (notedAt !== undefined && this.clock.elapsed() < notedAt + NOTED_MS) return;
    await execute(this.dataSource, noteSql(app));
    this.noted.set(app, this.clock.elapsed());
  }

  /** Whether this AppSecret is the last one that WeChat accepted for the app, by whatever row. */
  async isAccepted(app: WechatApp): Promise<boolean> {
    const accepted = sql`SELECT pair FROM iam.accepted_secrets WHERE appid = ${app.appid}`;
    const known = await queryRow(this.dataSource, z.object({ pair: z.string() }), accepted);
    return known?.pair === pairOf(app);
  }
}
