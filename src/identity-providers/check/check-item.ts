import { z } from 'zod';
import type { Language } from '../../http/language.js';
import type { FindingText } from './check-finding.js';
import { findingsHere } from './local-findings.js';
import { findingsOfWechat } from './wechat-findings.js';
import { checks, type CheckId } from './check-texts.js';

const findings = { ...findingsHere, ...findingsOfWechat };

/** The stable key of what was found. */
export type FindingKey = keyof typeof findings;

/** What was found about one thing; a fact is never a secret. */
export interface Finding {
  readonly id: CheckId;
  readonly key: FindingKey;
  readonly facts: Readonly<Record<string, string>>;
}

/** An item of the check, as it is answered. */
export const checkItem = z.object({
  id: z.string(),
  area: z.enum(['open', 'mp', 'mini', 'mobile', 'server', 'row']),
  status: z.enum(['ok', 'warning', 'error', 'unknown']),
  finding: z.string(),
  title: z.string(),
  detail: z.string(),
  remedy: z.string().nullable(),
  where: z.string().nullable(),
  facts: z.record(z.string(), z.string()),
});

/** Puts a finding into the reader's language; where there is nothing to do, no place is named. */
export function toCheckItem({ id, key, facts }: Finding, language: Language): z.infer<typeof checkItem> {
  const { area, title, where } = checks[id];
  const { status, detail, remedy }: FindingText = findings[key];
  return {
    id,
    area,
    status,
    finding: key,
    title: title[language],
    detail: fill(detail[language], facts),
    remedy: remedy === null ? null : fill(remedy[language], facts),
    where: status === 'ok' || remedy === null ? null : where[language],
    facts,
  };
}

/** True for what keeps people from signing in. */
export function isError({ key }: Finding): boolean {
  return findings[key].status === 'error';
}

/** True for what an operator should know without having asked for a check. */
export function isProblem({ key }: Finding): boolean {
  const { status } = findings[key];
  return status === 'error' || status === 'warning';
}

function fill(text: string, facts: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (placeholder, name: string) => facts[name] ?? placeholder);
}
