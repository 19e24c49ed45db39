import { Module } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AccountMigration,
  type AccountMigrationReport,
  type AccountMigrationRequest,
  type Pause,
} from '../../src/identity-providers/account-migration.service.js';
import { IdentityProvidersModule } from '../../src/identity-providers/identity-providers.module.js';
import { KeysModule } from '../../src/keys/keys.module.js';
import { Reencryption } from '../../src/keys/reencryption.service.js';
import {
  languageOf,
  languageOption,
  type Arguments,
  type Call,
  type Command,
  type Result,
} from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { table, visible, type Text } from '../output.js';
import { requireOwnKeys } from '../own-keys.js';
import { migrationTexts, type MigrationTexts } from './provider-migrate.texts.js';

/** The modules for the migration of an Official Account. */
@Module({ imports: [IdentityProvidersModule, KeysModule] })
class MigrationModule {}

/** What an option is for. */
function optionText(name: keyof MigrationTexts['options']): Text {
  return { en: migrationTexts.en.options[name], zh: migrationTexts.zh.options[name] };
}

const appidForm = /^wx[0-9A-Za-z]{1,62}$/;
const originalIdForm = /^gh_[0-9A-Za-z]{1,61}$/;
const BAR = 20;

/** Adds people's openids in a new Official Account after WeChat has migrated the old one. */
export const providerMigrateCommand: Command = {
  name: 'provider migrate',
  description: { en: migrationTexts.en.description, zh: migrationTexts.zh.description },
  parameters: ['slug'],
  options: {
    'from-app-id': { value: 'wx…', summary: optionText('from-app-id') },
    'to-app-id': { value: 'wx…', summary: optionText('to-app-id') },
    'from-original-id': { value: 'gh_…', summary: optionText('from-original-id') },
    'dry-run': { summary: optionText('dry-run') },
    'ask-again': { summary: optionText('ask-again') },
    'no-wait': { summary: optionText('no-wait') },
    lang: languageOption,
  },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'WECHAT_API_URL', 'WECHAT_PROXY', 'LANG'],
  example: `npx nestjs-wechat-iam provider migrate wechat --from-app-id wx0000000000000001 --to-app-id wx0000000000000002 --dry-run`,
  async run(call) {
    const { arguments: given, environment } = call;
    const request = readRequest(given);
    const texts = migrationTexts[languageOf(call)];
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { module: MigrationModule, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reencryption));
      const watch = { progress: progressBar(call), pause: pausing(call, texts) };
      return toResult(await iam.get(AccountMigration).run(request, watch), request, texts);
    });
  },
};

function readRequest(given: Arguments): AccountMigrationRequest {
  return {
    provider: given.get('slug'),
    fromAppid: required(given, 'from-app-id', appidForm),
    toAppid: required(given, 'to-app-id', appidForm),
    fromOriginalId: given.has('from-original-id')
      ? required(given, 'from-original-id', originalIdForm)
      : undefined,
    dryRun: given.has('dry-run'),
    includeNonFollowers: given.has('ask-again'),
  };
}

function required(given: Arguments, option: string, form: RegExp): string {
  const value = given.value(option);
  const expected = form === appidForm ? 'an AppID (wx…)' : 'an original ID (gh_…)';
  if (value === undefined || !form.test(value)) throw new UsageError(`--${option}: expected ${expected}`);
  return value;
}

/** Writes a line at most once for each percent. */
function progressBar({ progress }: Call): (done: number, total: number) => void {
  let shown = -1;
  return (done, total) => {
    const percent = Math.floor((100 * done) / total);
    if (percent === shown) return;
    shown = percent;
    const filled = Math.floor((BAR * done) / total);
    progress(`[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}] ${percent}%  ${done} / ${total}`);
  };
}

function pausing({ arguments: given, progress }: Call, texts: MigrationTexts) {
  return async ({ reason, seconds, error }: Pause): Promise<boolean> => {
    progress(visible(error.detail));
    if (given.has('no-wait')) {
      progress(texts.stopped);
      return false;
    }
    progress(`${texts.pauses[reason](seconds)} ${texts.stopped}`);
    await sleep(seconds * 1000);
    return true;
  };
}

function toResult(
  { total, counts, undecided, unexplained }: AccountMigrationReport,
  { dryRun = false }: AccountMigrationRequest,
  texts: MigrationTexts,
): Result {
  const { joined, already_there, second_user, barred, not_follower } = counts;
  const unfinished = counts.answered + counts.unanswered;
  const numbers = { joined, already_there, second_user, barred, not_follower, unfinished };
  const meanings = new Map(Object.entries(texts.outcomes));
  const lines = Object.entries(numbers).map(([name, count]) => [name, count, meanings.get(name) ?? '']);
  const rows = undecided.map((move) => [
    move.outcome,
    move.user_id,
    move.other_user_id,
    texts.mergeAdvice(move),
  ]);
  const text = [
    dryRun ? texts.previewSummary(total) : texts.summary(total),
    table(texts.heading, lines),
    ...unexplained.map((message) => `${texts.wechatMessage}: ${visible(message)}`),
    ...(rows.length === 0 ? [] : ['', table(['', ...texts.pairHeading], rows), texts.merge]),
    ...(unfinished === 0 ? [] : [texts.runAgain]),
  ].join('\n');
  const json = { dry_run: dryRun, total, ...numbers, undecided, wechat_said: unexplained };
  return { json, text, foundProblems: second_user + barred + unfinished > 0 };
}
