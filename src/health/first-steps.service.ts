import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { queryRow, sql } from '../database/sql.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';

/** The host may create the row while it starts, after this module. */
const PATIENCE_MS = 2_000;

const emptySql = sql`/* background */ SELECT NOT EXISTS (SELECT 1 FROM iam.identity_providers) AS is_empty`;

/** Logs the next step for a newcomer while no provider row exists. */
@Injectable()
export class FirstSteps implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new IamLogger('IamModule');
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly urls: IamUrls,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.options.background) return;
    this.timer = setTimeout(() => void this.warnIfEmpty().catch(() => undefined), PATIENCE_MS).unref();
  }

  onModuleDestroy(): void {
    clearTimeout(this.timer);
  }

  /** `SchemaWatch` reports missing tables. */
  private async warnIfEmpty(): Promise<void> {
    const row = await queryRow(this.dataSource, z.object({ is_empty: z.boolean() }), emptySql);
    if (row?.is_empty !== true) return;
    this.logger.warn(
      `nobody can sign in yet: there is no provider row. Make one with \`npx nestjs-wechat-iam provider add wechat --open-app-id … --open-app-secret-from -\`, POST ${this.urls.endpoint('admin/providers')}, or INSERT INTO iam.identity_providers. Without a WeChat account: \`npx nestjs-wechat-iam emulator --demo\``,
    );
  }
}
