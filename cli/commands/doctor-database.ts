import { Module } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { queryRow, sql } from '../../src/database/sql.js';
import { findSchemaGaps } from '../../src/health/schema-watch.service.js';
import { isProblem, toCheckItem } from '../../src/identity-providers/check/check-items.js';
import { checkRow } from '../../src/identity-providers/check/local-checks.js';
import { IdentityProvidersModule } from '../../src/identity-providers/identity-providers.module.js';
import { ProviderRows } from '../../src/identity-providers/provider-rows.service.js';
import { KeysModule } from '../../src/keys/keys.module.js';
import { Reencryption } from '../../src/keys/reencryption.service.js';
import type { Environment } from '../environment.js';
import { describeFailure } from '../errors.js';
import type { Iam } from '../open-iam.js';
import type { Text } from '../output.js';

/** What is looked at, in this order. */
type Subject = 'settings' | 'database' | 'migrations' | 'clock' | 'keys' | 'providers' | 'webhook' | 'wechat';

/** One line: what was found, and how to mend it. */
export interface Finding {
  readonly id: Subject;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: Text;
  readonly remedy?: Text;
}

/** What the parts about rows need. */
@Module({ imports: [IdentityProvidersModule, KeysModule] })
export class DoctorModule {}

/** What fails in the middle is a finding too. */
export async function attempt(
  id: Subject,
  { secrets }: Environment,
  work: () => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    const { message } = await describeFailure(error, secrets);
    return [{ id, status: 'fail', detail: same(message) }];
  }
}

const serverRow = z.object({ version: z.string(), is_read_only: z.boolean(), now: z.number() });
const serverSql = sql`
  SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') = 'on' AS is_read_only,
         extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`;

/** The server, its tables and its clock, beside that of this machine and of WeChat. */
export async function examineDatabase(
  dataSource: DataSource,
  wechatAheadMs: number | null,
): Promise<Finding[]> {
  const server = await queryRow(dataSource, serverRow, serverSql);
  const aheadMs = (server?.now ?? 0) - Date.now();
  const version = same(`PostgreSQL ${server?.version ?? '?'}`);
  return [
    server?.is_read_only === true
      ? {
          id: 'database',
          status: 'fail',
          detail: { en: `${version.en} takes no changes`, zh: `${version.zh} 不接受修改` },
          remedy: {
            en: 'let DATABASE_URL lead to the primary, or end default_transaction_read_only',
            zh: '让 DATABASE_URL 指向主库，或取消 default_transaction_read_only',
          },
        }
      : ok('database', version),
    await examineSchema(dataSource),
    clock(aheadMs, {
      en: `this machine and PostgreSQL`,
      zh: `本机与 PostgreSQL `,
    }),
    ...(wechatAheadMs === null
      ? []
      : [clock(aheadMs - wechatAheadMs, { en: 'PostgreSQL and WeChat', zh: 'PostgreSQL 与微信' })]),
  ];
}

async function examineSchema(dataSource: DataSource): Promise<Finding> {
  const { missing, pending } = await findSchemaGaps(dataSource);
  if (missing.length + pending.length === 0)
    return ok('migrations', { en: 'the tables are those of this version', zh: '表与本版本一致' });
  const named = [...missing, ...pending].slice(0, 5).join(', ');
  return {
    id: 'migrations',
    status: 'fail',
    detail: { en: `missing: ${named}`, zh: `缺少：${named}` },
    remedy: {
      en: 'npx nestjs-wechat-iam migrate; where none is pending, restore what was dropped',
      zh: 'npx nestjs-wechat-iam migrate；如果没有待执行的迁移，请恢复被删除的对象',
    },
  };
}

/** A larger difference is an error in the application's log too: it spoils pushes, cookies and tokens. */
const TOLERATED_MS = 60_000;

function clock(differenceMs: number, of: Text): Finding {
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  const detail = { en: `${of.en} differ by ${seconds} s`, zh: `${of.zh}相差 ${seconds} 秒` };
  if (Math.abs(differenceMs) < TOLERATED_MS) return ok('clock', detail);
  return {
    id: 'clock',
    status: 'fail',
    detail,
    remedy: { en: 'set the clock by NTP on both machines', zh: '在两台机器上用 NTP 校准时钟' },
  };
}

/** What an application of these settings finds in the tables. */
export async function examineRows(
  iam: Iam,
  environment: Environment,
  language: 'zh' | 'en',
): Promise<Finding[]> {
  return [
    ...(await attempt('keys', environment, () => examineKeys(iam))),
    ...(await attempt('providers', environment, () => examineProviders(iam, language))),
    ...(await attempt('webhook', environment, () => examineWebhook(iam))),
  ];
}

async function examineKeys(iam: Iam): Promise<Finding[]> {
  const uses = await iam.get(Reencryption).use();
  const sealedBy = (isConfigured: boolean) =>
    uses.filter((use) => use.key_id !== null && use.is_configured === isConfigured);
  const sum = (some: typeof uses) =>
    some.reduce(
      (total, use) =>
        total + use.provider_secrets + use.signing_keys + use.session_keys + use.subject_secrets,
      0,
    );
  const foreign = sealedBy(false);
  if (foreign.length === 0) {
    const count = sum(sealedBy(true));
    return [
      ok('keys', {
        en: `IAM_KEYS opens all ${count} sealed values`,
        zh: `IAM_KEYS 能解开全部 ${count} 个密文`,
      }),
    ];
  }
  const ids = foreign.map(({ key_id }) => key_id).join(', ');
  return [
    {
      id: 'keys',
      status: 'fail',
      detail: {
        en: `IAM_KEYS does not open ${sum(foreign)} values that the keys ${ids} have sealed`,
        zh: `IAM_KEYS 解不开密钥 ${ids} 加密的 ${sum(foreign)} 个值`,
      },
      remedy: {
        en: 'add the missing key to the option `keys`, behind the new one; `keys list` says what each has sealed',
        zh: '把缺少的密钥加到选项 `keys` 里，放在新密钥之后；`keys list` 列出各密钥加密了什么',
      },
    },
  ];
}

const PAGE = 200;

async function examineProviders(iam: Iam, language: 'zh' | 'en'): Promise<Finding[]> {
  const rows = iam.get(ProviderRows);
  const stored = await rows.list({ limit: PAGE });
  if (stored.length === 0)
    return [
      {
        id: 'providers',
        status: 'fail',
        detail: { en: 'no identity provider yet: nobody can sign in', zh: '还没有身份源：没有人能登录' },
        remedy: {
          en: 'npx nestjs-wechat-iam provider add wechat --open-app-id … --open-app-secret-from -; without a WeChat account: npx nestjs-wechat-iam emulator --demo',
          zh: 'npx nestjs-wechat-iam provider add wechat --open-app-id … --open-app-secret-from -；没有微信账号时：npx nestjs-wechat-iam emulator --demo',
        },
      },
    ];
  const canSignIn = stored.some(({ row }) => row.enabled);
  return stored.flatMap(({ row }): Finding[] => {
    const problems = checkRow(rows.open(row)).filter((each) => isProblem(each));
    const items = problems.map((each) => toCheckItem(each, language));
    if (items.length === 0)
      return [ok('providers', { en: `${row.slug}: complete and enabled`, zh: `${row.slug}：完整且已启用` })];
    return items.map(({ status, title, detail, remedy }) => ({
      id: 'providers',
      status: status === 'error' || !canSignIn ? 'fail' : 'warn',
      detail: same(`${row.slug}: ${title}. ${detail}`),
      ...(remedy !== null && { remedy: same(remedy) }),
    }));
  });
}

const pushesRow = z.object({ is_used: z.boolean(), latest: z.date().nullable() });
const pushesSql = sql`
  SELECT EXISTS (SELECT FROM iam.identity_providers WHERE enabled AND mp_token IS NOT NULL) AS is_used,
         (SELECT max(received_at) FROM iam.webhook_events) AS latest`;

async function examineWebhook({ dataSource }: Iam): Promise<Finding[]> {
  const pushes = await queryRow(dataSource, pushesRow, pushesSql);
  if (pushes?.is_used !== true)
    return [ok('webhook', { en: 'no provider takes pushes', zh: '没有身份源接收推送' })];
  const latest = pushes.latest?.toISOString();
  if (latest !== undefined)
    return [ok('webhook', { en: `the last push came at ${latest}`, zh: `最近一次推送：${latest}` })];
  return [
    {
      id: 'webhook',
      status: 'warn',
      detail: { en: 'WeChat has pushed nothing yet', zh: '还没有收到过微信的推送' },
      remedy: {
        en: 'register the server URL that `provider list --json` shows (webhook_url) in the console of the Official Account, then send the account a message',
        zh: '在公众号后台登记 `provider list --json` 给出的服务器地址（webhook_url），再给公众号发一条消息',
      },
    },
  ];
}

/** A finding without a remedy. */
export function ok(id: Subject, detail: Text): Finding {
  return { id, status: 'ok', detail };
}

/** For what is the same in both languages. */
export function same(text: string): Text {
  return { en: text, zh: text };
}
