import { call, path } from './api.js';
import { copyable } from './copyable.js';
import { ask } from './dialog.js';
import { button, card, el, facts, link, tag } from './dom.js';
import { act } from './messages.js';
import { go } from './navigation.js';
import { checkCard } from './provider-check.js';
import { editForm } from './provider-form.js';
import { rotationCard } from './provider-rotation.js';
import { say, time } from './say.js';

/** One identity provider: what to register, its check, its columns, its Token and EncodingAESKey. */
export async function providerView(slug) {
  const { body: view } = await call('GET', path('providers', slug));
  return [
    el('p', {}, link(`← ${say('providers')}`, 'providers')),
    card(
      view.name,
      facts([
        [say('p_slug'), el('code', {}, view.slug)],
        [
          say('state'),
          tag(say(view.enabled ? 'status_enabled' : 'status_disabled'), view.enabled ? 'good' : 'bad'),
        ],
        [say('unionScope'), view.union_scope_in_force],
        [say('changed'), time(view.updated_at)],
      ]),
    ),
    registrationCard(view),
    checkCard(view.slug),
    editForm(view),
    view.mp_app_id === null ? null : rotationCard(view),
    card(say('danger'), el('p', { class: 'hint' }, say('deleteProviderHint')), deleteButton(view)),
  ];
}

/** What has to be typed into WeChat's consoles. */
const registrationCard = (view) =>
  card(
    say('register'),
    el('p', { class: 'hint' }, say('registerHint')),
    facts([
      [say('callbackDomain'), copyable(view.callback_domain)],
      [say('callbackUrl'), copyable(view.callback_url)],
      [say('webhookUrl'), copyable(view.webhook_url)],
    ]),
  );

const deleteButton = ({ slug, etag }) =>
  button(say('deleteProvider'), 'quiet danger', () =>
    act(async () => {
      const question = {
        title: say('deleteProvider'),
        text: say('deleteProviderText'),
        action: say('delete'),
      };
      if (!(await ask({ ...question, word: slug }))) return false;
      await call('DELETE', path('providers', slug), { etag });
      await go('#/providers');
    }, say('deleted')),
  );
