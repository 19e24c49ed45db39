import { reactive } from 'vue';
import { call, path } from '../../shared/api';
import type { CheckItem, CheckResult, CheckStatus, Provider } from './provider-types';

/** A check as this browser last ran it. */
interface LastCheck extends CheckResult {
  readonly at: string;
}

const STORED = 'iam-checks';

/** Written by `runCheck`. */
const isStored = (value: unknown): value is Record<string, LastCheck> =>
  typeof value === 'object' && value !== null;

function readStored(): Record<string, LastCheck> {
  const stored: unknown = JSON.parse(sessionStorage.getItem(STORED) ?? '{}');
  return isStored(stored) ? stored : {};
}

/** By slug, until the tab is closed: the server keeps no results. */
const checks = reactive(readStored());

/** The last check of a provider in this tab, of the row as it is now. */
export function lastCheck({
  slug,
  updated_at: updatedAt,
}: Pick<Provider, 'slug' | 'updated_at'>): LastCheck | null {
  const check = checks[slug];
  return check !== undefined && check.at >= updatedAt ? check : null;
}

/** Asks WeChat. @throws Problem */
export async function runCheck(slug: string): Promise<LastCheck> {
  const { body } = await call<CheckResult>(`admin/${path('providers', slug)}/check`, { method: 'POST' });
  const check = { ...body, at: new Date().toISOString() };
  checks[slug] = check;
  sessionStorage.setItem(STORED, JSON.stringify(checks));
  return check;
}

/** What needs a hand comes first. */
const urgency: readonly CheckStatus[] = ['error', 'warning', 'unknown', 'ok'];

function byUrgency(items: readonly CheckItem[]): CheckItem[] {
  return [...items].sort((a, b) => urgency.indexOf(a.status) - urgency.indexOf(b.status));
}

/** What is known of a row: of the last check, else of the row alone. */
export function itemsOf(provider: Provider): readonly CheckItem[] {
  return byUrgency(lastCheck(provider)?.items ?? provider.problems);
}

/** How many items have a status. */
export function countOf(items: readonly CheckItem[], status: CheckStatus): number {
  return items.filter((item) => item.status === status).length;
}
