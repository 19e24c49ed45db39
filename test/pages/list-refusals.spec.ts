import { listRefusal, mostEntries } from '../../pages/admin/components/list-refusals.js';
import { clientChanges } from '../../src/oauth/clients/client-columns.js';
import { roleChanges } from '../../src/roles/roles.service.js';
import { newApiKey } from '../../src/sessions/api-keys/api-key.js';

const permissions = (count: number) => Array.from({ length: count }, (_, at) => `orders:x${at}`);
const addresses = (count: number) => Array.from({ length: count }, (_, at) => `https://x${at}.example.com`);

describe('a list in a form of the administration', () => {
  it.each([
    ['redirect URIs', clientChanges, 'redirect_uris', addresses, mostEntries.client],
    [
      'addresses after signing out',
      clientChanges,
      'post_logout_redirect_uris',
      addresses,
      mostEntries.client,
    ],
    ['origins', clientChanges, 'origins', addresses, mostEntries.client],
    ['providers', clientChanges, 'providers', permissions, mostEntries.client],
    ['resources', clientChanges, 'resources', addresses, mostEntries.client],
    ['roles of a service', clientChanges, 'roles', permissions, mostEntries.client],
    ['permissions of a role', roleChanges, 'permissions', permissions, mostEntries.role],
    [
      'permissions of an API key',
      newApiKey.pick({ permissions: true }),
      'permissions',
      permissions,
      mostEntries.apiKey,
    ],
  ] as const)('has too many %s where the API says so', (_what, schema, member, make, most) => {
    const isTaken = (entries: readonly string[]) => schema.safeParse({ [member]: entries }).success;

    expect([isTaken(make(most)), isTaken(make(most + 1))]).toEqual([true, false]);
    expect(listRefusal(make(most + 1), null, most)).toEqual({ kind: 'tooMany', most });
    expect(listRefusal(make(most), null, most)).toEqual({ kind: 'whole' });
  });

  it('names the entry that the API names, however many there are', () => {
    const entries = permissions(3);

    expect(listRefusal(entries, 2, 1)).toEqual({ kind: 'entry', line: 'orders:x2' });
    expect(listRefusal(entries, 3, 5)).toEqual({ kind: 'whole' });
  });
});
