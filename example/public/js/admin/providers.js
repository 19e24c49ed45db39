import { call } from './api.js';
import { column } from './columns.js';
import { el, hashOf, link, tag } from './dom.js';
import { listView } from './list.js';
import { act } from './messages.js';
import { go } from './navigation.js';
import { providerForm } from './provider-form.js';
import { providerView } from './provider.js';
import { named, say } from './say.js';

const apps = ['open', 'mp', 'mini', 'mobile'];

/** Identity providers: the list, a new one, or one of them. */
export const providersView = ([slug]) =>
  slug === undefined ? list() : slug === '+' ? create() : providerView(slug);

async function list() {
  const rows = await listView({
    path: 'providers',
    filters: [
      { name: 'q', label: say('slugOrName') },
      {
        name: 'enabled',
        label: say('state'),
        options: [
          ['true', say('status_enabled')],
          ['false', say('status_disabled')],
        ],
      },
    ],
    columns: [
      { label: say('name'), cell: ({ slug, name }) => link(name, 'providers', slug) },
      column.code('slug', say('p_slug')),
      {
        label: say('state'),
        cell: ({ enabled }) =>
          enabled ? tag(say('status_enabled'), 'good') : tag(say('status_disabled'), 'bad'),
      },
      {
        label: say('apps'),
        cell: (row) =>
          apps.filter((kind) => row[`${kind}_app_id`] !== null).map((kind) => tag(named('kind', kind))),
      },
      {
        label: say('problems'),
        cell: ({ problems }) =>
          problems.length === 0
            ? null
            : el('ul', { class: 'plain-list' }, ...problems.map(({ detail }) => el('li', {}, detail))),
      },
    ],
  });
  return [
    el('p', { class: 'hint' }, say('providersHint')),
    el('p', {}, el('a', { class: 'button wechat', href: hashOf(['providers', '+']) }, say('newProvider'))),
    ...rows,
  ];
}

function create() {
  const save = (changes) =>
    act(async () => {
      const { body } = await call('POST', 'providers', { body: changes });
      await go(hashOf(['providers', body.slug]));
    }, say('createdProvider'));
  return [
    el('p', {}, link(`← ${say('providers')}`, 'providers')),
    el('p', { class: 'hint' }, say('newProviderHint')),
    providerForm(null, save),
  ];
}
