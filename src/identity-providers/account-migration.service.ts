import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '../runtime/clock.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { WechatGateway, type ChangedOpenid } from '../wechat/wechat-gateway.service.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import type { IdentityProvider } from './identity-provider.js';
import { IdentityProviders } from './identity-providers.service.js';
import {
  joinMovedOpenid,
  OpenidMoves,
  type PredictedMove,
  type MoveCounts,
  type MovePage,
  type OldIdentity,
  type OpenidResponse,
} from '../users/openid-moves.service.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { WechatError } from '../wechat/wechat-error.js';

/** The Official Accounts between which people move, and the options of the run. */
export interface AccountMigrationRequest {
  /** Slug of the row that has the new Official Account. */
  readonly provider: string;
  readonly fromAppid: string;
  readonly toAppid: string;
  /** The `gh_…` of the old account: WeChat may identify the migration by it instead of the AppID. */
  readonly fromOriginalId?: string | undefined;
  /** Also requests the openids of people who were no followers in an earlier run. */
  readonly includeNonFollowers?: boolean;
  /** Only reads from WeChat and predicts the result. */
  readonly dryRun?: boolean;
}

/** Callbacks of a run. */
interface MigrationWatch {
  readonly progress: (done: number, total: number) => void;
  /** Waits. False ends the run with the error of the pause. */
  readonly pause: (pause: Pause) => Promise<boolean>;
}

/** The result of a run; of a dry run, the expected one. */
export interface AccountMigrationReport {
  readonly total: number;
  readonly counts: MoveCounts;
  /** Pairs of users that need a decision of an operator, at most a thousand. */
  readonly undecided: readonly PredictedMove[];
  /** Unknown messages of WeChat in place of an openid, without duplicates. */
  readonly unexplained: readonly string[];
}

/** WeChat's limit of openids in one call. */
const BATCH = 100;
const MOST_UNDECIDED = 1_000;
/** After so many lost races in a row, an identity is left to the next run. */
const MOST_RACES = 5;
const NOT_A_FOLLOWER = 'ori_openid error';
const NO_MIGRATION: ReadonlySet<number | undefined> = new Set([63178, 63183]);

interface Run extends AccountMigrationRequest, MigrationWatch {
  readonly app: WechatApp;
  readonly row: IdentityProvider;
  /** The identifier of the old account in calls to WeChat. */
  accountId: string;
  readonly unexplained: Set<string>;
}

/**
 * Moves people to another Official Account (protocol part 2, D): requests their new openids from WeChat and adds these to
 * the users. Stores each response before it acts on it, so that the next run continues after an interruption.
 */
@Injectable()
export class AccountMigration {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly providers: IdentityProviders,
    private readonly moves: OpenidMoves,
    private readonly gateway: WechatGateway,
    private readonly clock: Clock,
  ) {}

  /** @throws IamError `provider_not_found`, `provider_misconfigured`, `not_found` (nobody to move), a `wechat_…` code */
  run(request: AccountMigrationRequest, watch: MigrationWatch): Promise<AccountMigrationReport> {
    return inLongJob(async () => {
      const row = await this.providers.get(request.provider);
      const { fromAppid, dryRun = false } = request;
      const known = { app: requireApp(row, request), row, accountId: fromAppid };
      const run = { ...request, ...watch, ...known, unexplained: new Set<string>() };
      const total = sum(await this.moves.count(request));
      if (total === 0)
        throw new IamError('not_found', `nobody is known by the Official Account ${fromAppid}`);
      const result = dryRun ? await this.preview(run, total) : await this.move(run, total);
      return { total, ...result, unexplained: [...run.unexplained] };
    });
  }

  private async move(run: Run, total: number) {
    for await (const page of this.pages(run, (from) => this.moves.open(from)))
      for (const { id } of page) await this.join(run, id);
    for await (const responses of this.requestAll(run, total)) {
      await this.moves.store(run.toAppid, responses);
      for (const { identityId, toOpenid } of responses)
        if (toOpenid !== null) await this.join(run, identityId);
    }
    const undecided = await this.moves.predictOpen({ ...run, after: '', limit: MOST_UNDECIDED });
    return { counts: await this.moves.count(run), undecided };
  }

  /** Predicts the counts after a run. */
  private async preview(run: Run, total: number) {
    const counts = { ...(await this.moves.count(run)) };
    const undecided: PredictedMove[] = [];
    const add = (predicted: readonly PredictedMove[]) => {
      for (const { outcome } of predicted) counts[outcome] += 1;
      const left = predicted.filter(({ outcome }) => outcome === 'second_user' || outcome === 'barred');
      undecided.push(...left.slice(0, MOST_UNDECIDED - undecided.length));
    };
    Object.assign(counts, { answered: 0, second_user: 0, barred: 0 });
    for await (const page of this.pages(run, (from) => this.moves.predictOpen(from))) add(page);
    if (run.includeNonFollowers === true) counts.not_follower = 0;
    for await (const responses of this.requestAll(run, total)) {
      add(await this.moves.predict(run.toAppid, responses));
      counts.not_follower += responses.filter(({ toOpenid }) => toOpenid === null).length;
    }
    counts.unanswered = 0;
    counts.unanswered = total - sum(counts);
    return { counts, undecided };
  }

  /** The responses of WeChat, page by page. Reports the progress after the caller has handled a page. */
  private async *requestAll(run: Run, total: number): AsyncGenerator<readonly OpenidResponse[]> {
    const { unanswered, not_follower } = await this.moves.count(run);
    let done = total - unanswered - (run.includeNonFollowers === true ? not_follower : 0);
    for await (const page of this.pages(run, (from) => this.moves.withoutOpenid(from, run))) {
      yield await this.requestOpenids(run, page);
      run.progress((done += page.length), total);
    }
  }

  /** In openid order, so that a run handles each identity once, also one whose outcome stays open. */
  private async *pages<T extends { readonly openid: string }>(
    { fromAppid, toAppid }: Run,
    read: (page: MovePage) => Promise<T[]>,
  ): AsyncGenerator<readonly T[]> {
    for (let after: string | undefined = ''; after !== undefined;) {
      const page: T[] = await read({ fromAppid, toAppid, after, limit: BATCH });
      if (page.length > 0) yield page;
      after = page.length === BATCH ? page.at(-1)?.openid : undefined;
    }
  }

  /** Leaves out openids that the response lacks or refuses for an unknown reason: the next run requests them again. */
  private async requestOpenids(run: Run, page: readonly OldIdentity[]): Promise<OpenidResponse[]> {
    const rows = await this.requestWithPauses(run, page);
    const byOpenid = new Map(rows.map((row) => [row.ori_openid, row]));
    return page.flatMap(({ id, openid }): OpenidResponse[] => {
      const { new_openid, err_msg = 'no answer' } = byOpenid.get(openid) ?? {};
      if (new_openid !== undefined) return [{ identityId: id, toOpenid: new_openid }];
      if (err_msg === NOT_A_FOLLOWER) return [{ identityId: id, toOpenid: null }];
      run.unexplained.add(err_msg);
      return [];
    });
  }

  private async requestWithPauses(run: Run, page: readonly OldIdentity[]): Promise<ChangedOpenid[]> {
    const openids = page.map(({ openid }) => openid);
    for (let failures = 0; ;) {
      try {
        return await this.requestPage(run, openids);
      } catch (error) {
        const pause = pauseAfter(error, { failures, now: this.clock.now() });
        if (pause === null || !(await run.pause(pause))) throw error;
        failures = pause.reason === 'unavailable' ? failures + 1 : 0;
      }
    }
  }

  /** Sources disagree about the identifier of the old account: the AppID is tried first, then the `gh_…`. */
  private async requestPage(run: Run, openids: readonly string[]): Promise<ChangedOpenid[]> {
    const { app, fromOriginalId } = run;
    try {
      return await this.gateway.changeOpenids(app, run.accountId, openids);
    } catch (error) {
      const isUnknown = error instanceof WechatError && NO_MIGRATION.has(error.errcode);
      if (!isUnknown || fromOriginalId === undefined || run.accountId === fromOriginalId) throw error;
      run.accountId = fromOriginalId;
      return this.gateway.changeOpenids(app, run.accountId, openids);
    }
  }

  private async join({ row, toAppid }: Run, identityId: string): Promise<void> {
    const moved = { identityId, toAppid, provider: row.slug, unionScope: row.unionScope };
    for (let race = 1; race <= MOST_RACES; race += 1) {
      if (await joinMovedOpenid(this.dataSource, moved)) return;
      if (!(await this.moves.isOpen(identityId, toAppid))) return;
    }
  }
}

function requireApp(
  { slug, mp }: IdentityProvider,
  { fromAppid, toAppid }: AccountMigrationRequest,
): WechatApp {
  if (fromAppid === toAppid)
    throw new IamError('invalid_request', 'the old account and the new one have the same AppID');
  if (mp?.appid === toAppid) return mp;
  const has = mp === null ? 'no Official Account whose pair is complete' : `the Official Account ${mp.appid}`;
  throw new IamError(
    'provider_misconfigured',
    `"${slug}" has ${has}: give it ${toAppid} and its secret first`,
  );
}

function sum(counts: MoveCounts): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}

/** A pause before the next call to WeChat, and its reason. */
export interface Pause {
  readonly reason: 'day_quota' | 'minute_quota' | 'unavailable';
  readonly seconds: number;
  readonly error: WechatError;
}

/** A run ends after so many failed calls in a row. */
const MOST_FAILURES = 5;
const DAY_QUOTA = 45009;
const DAY_MS = 86_400_000;
/** Daily quotas reset at 00:00 in Beijing, which is UTC+8 all year. */
const BEIJING_MS = 8 * 3_600_000;
/** Covers the difference between WeChat's clock and ours. */
const MARGIN_SECONDS = 60;

/** Null where a pause does not help. `failures` are the failed calls in a row before this one; `now` is in milliseconds since the epoch. */
function pauseAfter(
  error: unknown,
  { failures, now }: { readonly failures: number; readonly now: number },
): Pause | null {
  if (!(error instanceof WechatError)) return null;
  if (error.errcode === DAY_QUOTA) {
    const left = DAY_MS - ((now + BEIJING_MS) % DAY_MS);
    return { reason: 'day_quota', seconds: Math.ceil(left / 1000) + MARGIN_SECONDS, error };
  }
  if (error.action === 'rate')
    return { reason: 'minute_quota', seconds: error.retryAfterSeconds ?? 60, error };
  if (error.action !== 'retry' || failures + 1 >= MOST_FAILURES) return null;
  return { reason: 'unavailable', seconds: 5 * 2 ** failures, error };
}
