import type { Call, OptionSpec } from './command.js';
import { UsageError } from './errors.js';

/** `--lang`, of commands that say more than names and numbers. */
export const languageOption: OptionSpec = {
  value: 'zh-CN|en',
  summary: 'the language of what is said (default by LANG)',
};

/** The language that was asked for, else that of the shell. @throws UsageError */
export function languageOf({ arguments: given, environment }: Call): 'zh' | 'en' {
  const asked = given.value('lang');
  if (asked === undefined) return environment.language;
  if (!/^(zh|en)\b/i.test(asked)) throw new UsageError('--lang: expected zh-CN or en');
  return /^zh/i.test(asked) ? 'zh' : 'en';
}
