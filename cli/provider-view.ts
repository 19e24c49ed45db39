import { toProviderView } from '../src/admin/providers.view.js';
import { IamUrls } from '../src/http/iam-urls.service.js';
import { StoredProviders, type StoredProvider } from '../src/identity-providers/stored-providers.service.js';
import type { Environment } from './environment.js';
import type { Iam } from './open-iam.js';
import { pairs } from './table.js';

type View = ReturnType<typeof toProviderView>;

/** A provider as the admin API answers it; no secret is in it. */
export interface ShownProvider {
  readonly view: View;
  /** For `--json`: without what only HTTP needs, and without addresses where `PUBLIC_URL` is not set. */
  readonly json: Readonly<Record<string, unknown>>;
}

const addresses = ['callback_url', 'callback_domain', 'webhook_url'];

/** See `ShownProvider`. */
export function showProvider(stored: StoredProvider, iam: Iam, environment: Environment): ShownProvider {
  const opened = iam.get(StoredProviders).open(stored.row);
  const view = toProviderView(stored, opened, { urls: iam.get(IamUrls), language: 'en' });
  const hidden = ['etag', ...(environment.read('PUBLIC_URL') === undefined ? addresses : [])];
  const members = Object.entries(view).filter(([name]) => !hidden.includes(name));
  return { view, json: Object.fromEntries(members) };
}

/** The row for people: of secrets whether they are set, and what is to be registered with WeChat. */
export function describeProvider({ view, json }: ShownProvider): string {
  const columns = Object.entries(json).filter(isColumn);
  const set = Object.entries(view.secrets).flatMap(([column, isSet]) => (isSet ? [column] : []));
  return [
    pairs({ ...Object.fromEntries(columns), 'secrets set': set.join(', ') }),
    ...describeProblems(view),
    `Next: provider check ${view.slug} asks WeChat about it.`,
  ].join('\n');
}

/** A line for each. */
export function describeProblems({ slug, problems }: View): string[] {
  return problems.map(({ title, detail, remedy }) =>
    `! ${slug}: ${title}. ${detail} ${remedy ?? ''}`.trimEnd(),
  );
}

function isColumn(member: [string, unknown]): member is [string, string | boolean] {
  const [name, value] = member;
  const isShown = name !== 'id' && !name.endsWith('_at');
  return isShown && (typeof value === 'string' || typeof value === 'boolean');
}
