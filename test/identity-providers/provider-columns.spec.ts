import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import {
  factsOf,
  plainColumnNames,
  secretColumnNames,
} from '../../src/identity-providers/provider-columns.js';

const fields = z.array(
  z.object({ column: z.string(), kind: z.string(), options: z.array(z.string()).optional() }).loose(),
);

/** A module of the example's admin page. */
async function pageModule(name: string): Promise<unknown> {
  return import(pathToFileURL(`example/public/js/admin/${name}.js`).href);
}

async function formFields() {
  const { groups } = z
    .object({ groups: z.array(z.object({ fields })) })
    .parse(await pageModule('provider-fields'));
  return groups.flatMap((group) => group.fields);
}

describe('the admin form of the example', () => {
  it('asks for each column of the table; a previous secret is set by a rotation', async () => {
    const asked = (await formFields()).map(({ column }) => column);

    const settable = secretColumnNames.filter((name) => !name.endsWith('_previous'));
    expect(asked.toSorted()).toEqual(['slug', ...plainColumnNames, ...settable].toSorted());
  });

  it('offers the options and initial values of the table', async () => {
    const asked = new Map((await formFields()).map((field) => [field.column, field]));

    for (const name of plainColumnNames) {
      const { default: initial, options } = factsOf(name);
      expect([name, asked.get(name)?.options]).toEqual([name, options]);
      if (typeof initial === 'boolean') expect(asked.get(name)).toMatchObject({ kind: 'switch', initial });
    }
  });

  it('has a label and a help for each column, and a label for each option, in both languages', async () => {
    const words = z.record(z.string(), z.record(z.string(), z.string()));
    const { providerEn = {} } = words.parse(await pageModule('provider-words-en'));
    const { providerZh = {} } = words.parse(await pageModule('provider-words-zh'));
    const expected = (await formFields()).flatMap(({ column, options = [] }) => [
      `p_${column}`,
      `p_${column}_help`,
      ...options.map((option) => `p_${column}_${option}`),
    ]);

    for (const language of [providerEn, providerZh])
      expect(
        Object.keys(language)
          .filter((key) => key.startsWith('p_'))
          .toSorted(),
      ).toEqual(expected.toSorted());
  });
});
