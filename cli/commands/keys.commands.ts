import { Module } from '@nestjs/common';
import { KeysModule } from '../../src/keys/keys.module.js';
import {
  Reencryption,
  type ReencryptionReport,
  type SealingKeyUse,
} from '../../src/keys/reencryption.service.js';
import { KeyRotation, type ListedSigningKey } from '../../src/sessions/key-rotation.service.js';
import { SessionsModule } from '../../src/sessions/sessions.module.js';
import type { Arguments, Command, Result } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { table } from '../output.js';
import { requireOwnKeys, requireSigningKeys } from '../own-keys.js';

/** What the commands about keys need. */
@Module({ imports: [SessionsModule, KeysModule] })
class KeyCommandsModule {}

/** Shows which keys sign and which have sealed what; never a key itself. */
export const keysListCommand: Command = {
  name: 'keys list',
  description: {
    en: `Lists the keys that sign access tokens, and how much each sealing key holds. A sealing key is named by the first 8 hex
digits of its SHA-256. One that is not configured and holds something is missing in IAM_KEYS; one that is not the first
and holds nothing can be taken away.`,
    zh: `列出访问令牌的签名密钥，以及各个加密密钥还加密着多少内容。加密密钥以其 SHA-256 的前 8 位十六进制数字命名。
不在 IAM_KEYS 中而仍有内容的，说明 IAM_KEYS 缺了它；不是第一个且没有内容的，可以撤下。`,
  },
  parameters: [],
  options: {},
  variables: ['DATABASE_URL', 'IAM_KEYS'],
  example: 'npx nestjs-wechat-iam keys list',
  async run({ environment }) {
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { module: KeyCommandsModule, options }, async (iam) => {
      const signing = await iam.get(KeyRotation).list();
      const sealing = await iam.get(Reencryption).use();
      return {
        json: { signing_keys: signing, sealing_keys: sealing },
        text: `Signing keys\n${signingTable(signing)}\n\nSealing keys\n${sealingTable(sealing)}`,
      };
    });
  },
};

function signingTable(keys: readonly ListedSigningKey[]): string {
  if (keys.length === 0) return 'none yet: the application makes the first one when it starts';
  return table(
    ['kid (ES256)', 'kid (RS256)', 'state', 'signs from', 'verifies until'],
    keys.map((key) => [key.kid, key.rs256_kid ?? 'none yet', key.state, key.active_at, key.retires_at]),
  );
}

function sealingTable(keys: readonly SealingKeyUse[]): string {
  return table(
    ['key', 'in IAM_KEYS', 'seals', 'provider secrets', 'signing keys', 'session keys', 'subject secrets'],
    keys.map((key) => [
      key.key_id ?? 'plain:',
      key.is_configured,
      key.is_current,
      key.provider_secrets,
      key.signing_keys,
      key.session_keys,
      key.subject_secrets,
    ]),
  );
}

const LONGEST = 604_800;

/** Publishes a new signing key, which takes over later. */
export const keysRotateCommand: Command = {
  name: 'keys rotate',
  description: {
    en: `Makes a new key for signing access tokens. It is published at once and signs after --activate-in seconds, so that
servers that cache the list of keys have it by then; the old one goes when its last token has ended. Nobody is signed out.
Run again while a key waits, it only brings that one forward.`,
    zh: `生成新的访问令牌签名密钥。它立即公布，--activate-in 秒之后开始签名，这时保存着密钥列表的各方都已知道它；
旧密钥在它最后一个令牌到期后移除。没有人会因此退出登录。已有一个密钥在等待时，再次运行只会让它提前。`,
  },
  parameters: [],
  options: {
    'activate-in': {
      value: 'SECONDS',
      summary: {
        en: 'until the new key signs (default 600); 0 in an emergency: others may refuse its tokens for a while',
        zh: '多少秒后开始签名（默认 600）；紧急时用 0：其他服务可能在一段时间内拒绝它的令牌',
      },
    },
  },
  variables: ['DATABASE_URL', 'IAM_KEYS'],
  example: 'npx nestjs-wechat-iam keys rotate',
  async run({ arguments: given, environment }) {
    const activateIn = secondsOf(given);
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { module: KeyCommandsModule, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reencryption));
      await requireSigningKeys(iam.get(Reencryption));
      const { key, isNew } = await iam.get(KeyRotation).rotate(activateIn);
      return toRotateResult(key, isNew);
    });
  },
};

function secondsOf(given: Arguments): number | undefined {
  const text = given.value('activate-in');
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text) || Number(text) > LONGEST)
    throw new UsageError(`--activate-in: expected 0 to ${LONGEST} seconds`);
  return Number(text);
}

function toRotateResult(key: ListedSigningKey, isNew: boolean): Result {
  const what = isNew ? 'New signing key' : 'A key was waiting already:';
  return { json: { ...key, is_new: isNew }, text: `${what} ${key.kid}, signs from ${key.active_at}` };
}

/** Lets an old sealing key be taken away. */
export const keysResealCommand: Command = {
  name: 'keys reseal',
  description: {
    en: `Seals every provider secret, signing key and session key anew with the first of IAM_KEYS, row by row, beside running
applications: stopped in the middle, what is done stays done. IAM_KEYS must be what every replica has already
(keys: [new, old]). Exit code 1 when something is left that IAM_KEYS does not open.`,
    zh: `用 IAM_KEYS 的第一个密钥逐行重新加密所有身份源密钥、签名密钥与 session_key，应用无需停止：中途停止，已完成的不会丢失。
IAM_KEYS 必须是所有副本已在使用的（keys: [new, old]）。有 IAM_KEYS 打不开的内容时，退出码为 1。`,
  },
  parameters: [],
  options: {},
  variables: ['DATABASE_URL', 'IAM_KEYS'],
  example: 'IAM_KEYS=$NEW,$OLD npx nestjs-wechat-iam keys reseal',
  async run({ environment, progress }) {
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { module: KeyCommandsModule, options }, async (iam) => {
      const reseal = iam.get(Reencryption);
      await requireOwnKeys(reseal);
      const report = await reseal.run(({ done, total }) => {
        if (done % 100 === 0 || done === total) progress(`${done} of ${total}`);
      });
      return toReencryptionResult(report);
    });
  },
};

function toReencryptionResult(report: ReencryptionReport): Result {
  const { provider_secrets, signing_keys, session_keys, subject_secrets, left } = report;
  const rest =
    left === 0
      ? 'Nothing else is sealed with another key.'
      : `${left} are left that IAM_KEYS does not open: see keys list.`;
  return {
    json: report,
    text: `Sealed anew: ${provider_secrets} provider secrets, ${signing_keys} signing keys, ${session_keys} session keys, ${subject_secrets} subject secrets. ${rest}`,
    foundProblems: left > 0,
  };
}
