import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { ObservableCallback, ObservableGauge } from '@opentelemetry/api';
import { DataSource } from 'typeorm';
import { readLogoutBacklog } from '../oauth/backchannel/logout-outbox.service.js';
import { readInboxBacklog } from '../webhook/inbox/stored-events.service.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { QrBudget } from '../qr-login/qr-budget.service.js';
import { Telemetry } from '../runtime/telemetry.service.js';

/** Registers gauges, whose values are read only when the host exports its metrics. */
@Injectable()
export class Gauges implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly observed: (readonly [ObservableGauge, ObservableCallback])[] = [];

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly budget: QrBudget,
  ) {}

  onApplicationBootstrap(): void {
    this.observe(
      ['iam.pool.connections', "Connections of the host's pool, by state", '{connection}'],
      (result) => {
        const pool = readPoolState(this.dataSource);
        if (pool === null) return;
        result.observe(pool.size - pool.idle, { 'iam.state': 'used' });
        result.observe(pool.idle, { 'iam.state': 'idle' });
      },
    );
    this.observe(['iam.pool.waiting', 'Who waits for a connection', '{request}'], (result) =>
      result.observe(readPoolState(this.dataSource)?.waiting ?? 0),
    );
    const codes = 'QR codes that an Official Account has used; 1 is all';
    this.observe(['iam.qr_codes.used', codes, '1'], async (result) => {
      for (const { appid, used } of await this.budget.used()) result.observe(used, { 'iam.appid': appid });
    });
    // Last: otherwise its own query would count as a waiting request.
    const age = 'Age of the oldest event that is not worked off';
    this.observe(['iam.inbox.age', age, 's'], async (result) =>
      result.observe((await readInboxBacklog(this.dataSource)).oldestSeconds ?? 0),
    );
    const dead = 'Logout tokens that were given up';
    this.observe(
      ['iam.backchannel.age', 'Age of the oldest logout token that is not delivered', 's'],
      async (result) => result.observe((await readLogoutBacklog(this.dataSource)).oldestSeconds ?? 0),
    );
    this.observe(['iam.backchannel.dead', dead, '{token}'], async (result) =>
      result.observe((await readLogoutBacklog(this.dataSource)).dead),
    );
  }

  onApplicationShutdown(): void {
    for (const [gauge, callback] of this.observed.splice(0)) gauge.removeCallback(callback);
  }

  private observe(described: Parameters<Telemetry['gauge']>, callback: ObservableCallback): void {
    const gauge = this.telemetry.gauge(...described);
    if (gauge === undefined) return;
    gauge.addCallback(callback);
    this.observed.push([gauge, callback]);
  }
}

/** The connection pool of `pg` behind a DataSource. */
export interface PoolState {
  readonly size: number;
  readonly idle: number;
  /** Requests that wait for a connection. */
  readonly waiting: number;
}

/** Null where TypeORM uses no pool of `pg`. */
export function readPoolState({ driver }: DataSource): PoolState | null {
  const pool: unknown = 'master' in driver ? driver.master : undefined;
  if (typeof pool !== 'object' || pool === null) return null;
  const [size, idle, waiting] = ['totalCount', 'idleCount', 'waitingCount'].map((name): unknown =>
    Reflect.get(pool, name),
  );
  if (typeof size !== 'number' || typeof idle !== 'number' || typeof waiting !== 'number') return null;
  return { size, idle, waiting };
}
