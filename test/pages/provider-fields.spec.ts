import {
  allFields,
  complaintOf,
  newRow,
  placeOf,
  tabOf,
} from '../../pages/admin/providers/provider-fields.js';
import { secretColumns as shownSecrets } from '../../pages/admin/providers/provider-types.js';
import { checks } from '../../src/identity-providers/check/check-items.js';
import {
  factsOf,
  identityProviderInput,
  plainColumnNames,
  secretColumnNames,
} from '../../src/identity-providers/provider-columns.js';

const fieldOf = (column: string) => {
  const found = allFields.find(({ field }) => field.column === column);
  if (found === undefined) throw new Error(`no field for ${column}`);
  return found.field;
};

describe('the fields of a provider on its page', () => {
  it('are the columns of the row, each in one place, with its options and its default', () => {
    const written = allFields.map(({ field }) => field.column).sort();
    const current = secretColumnNames.filter((name) => !name.endsWith('_previous'));
    const choices = plainColumnNames.filter((name) => factsOf(name).options !== undefined);

    expect(written).toEqual(['slug', ...plainColumnNames, ...current].sort());
    expect(shownSecrets).toEqual(secretColumnNames);
    for (const name of choices) expect(fieldOf(name)).toMatchObject({ options: factsOf(name).options });
    expect(newRow).toEqual({
      ...Object.fromEntries(plainColumnNames.map((name) => [name, factsOf(name).default ?? null])),
      name: '',
    });
  });

  it.each([
    ['slug', ['wechat', 'a', '0-_'], ['Tea House', '-a', 'ä', 'a'.repeat(64)]],
    ['name', ['微信', 'a'.repeat(100)], ['a'.repeat(101)]],
    ['mp_app_id', ['wx0123456789abcdef'], ['wx 1', 'a'.repeat(65), 'ä']],
    ['mp_app_secret', ['f'.repeat(32)], ['a b', 'plain:x', 'sealed:x', '密']],
    ['mp_token', ['abc', 'a'.repeat(32)], ['ab', 'a'.repeat(33), 'a-b']],
    ['mp_encoding_aes_key', ['a'.repeat(43)], ['a'.repeat(42), 'a'.repeat(44)]],
    ['union_scope', ['main'], ['a'.repeat(65)]],
  ])('refuse for %s what the API refuses', (column, taken, refused) => {
    const isTaken = (text: string) =>
      identityProviderInput.safeParse({ slug: 'wechat', [column]: text }).success;
    const passes = (text: string) => complaintOf(fieldOf(column), text) === null;

    expect([...taken, ...refused].map(passes)).toEqual([...taken, ...refused].map(isTaken));
    expect(taken.every(passes)).toBe(true);
    expect(refused.some(passes)).toBe(false);
  });

  it('have every item of the check in a tab, and an unknown one in the overview', () => {
    const places = Object.keys(checks).map((id) => [id, placeOf({ id, facts: {} })] as const);
    const ofRow = places.filter(([, place]) => place === 'row').map(([id]) => id);

    expect(ofRow).toEqual(['row.secrets', 'row.methods', 'server.public_url', 'server.wechat']);
    expect(placeOf({ id: 'mp.credentials', facts: { missing: 'mp_app_id' } })).toBe('mp_app_id');
    expect(tabOf(placeOf({ id: 'mp.oauth_domain', facts: {} }))).toBe('mp');
    expect(tabOf(placeOf({ id: 'newer.item', facts: {} }))).toBe('row');
  });
});
