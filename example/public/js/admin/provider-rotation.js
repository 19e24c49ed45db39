import { call, path } from './api.js';
import { copyable } from './copyable.js';
import { ask, tell } from './dialog.js';
import { button, card, el, facts } from './dom.js';
import { change } from './messages.js';
import { say } from './say.js';

/** The two values that WeChat's console and the row both hold. */
const shared = ['mp_token', 'mp_encoding_aes_key'];

/** Changes the Token or EncodingAESKey without a message lost: new here, then in the console, then the old one goes. */
export const rotationCard = (view) =>
  card(
    say('rotation'),
    el('p', { class: 'hint' }, say('rotationHint')),
    ...shared.map((column) => {
      const previous = `${column}_previous`;
      return el(
        'div',
        { class: 'row', 'data-rotate': column },
        el('strong', {}, say(`p_${column}`)),
        view.secrets[previous]
          ? button(say('dropPrevious'), 'quiet danger', () => dropPrevious(view, previous))
          : button(say('generate'), 'quiet', () => rotate(view, column)),
      );
    }),
  );

/** The value comes once: it is shown until the person closes it, and never again. */
const rotate = (view, column) =>
  change(async () => {
    const question = { title: say('generate'), text: say('generateText'), action: say('generate') };
    if (!(await ask(question))) return false;
    const request = { body: { secret: column }, etag: view.etag };
    const { body } = await call('POST', path('providers', view.slug, 'rotate'), request);
    await tell(
      say('generated'),
      el('p', {}, say('generatedText')),
      facts([
        [say(`p_${column}`), copyable(body.value)],
        [say('webhookUrl'), copyable(view.webhook_url)],
      ]),
    );
  }, say('generatedDone'));

const dropPrevious = (view, previous) =>
  change(async () => {
    const question = {
      title: say('dropPrevious'),
      text: say('dropPreviousText'),
      action: say('dropPrevious'),
    };
    if (!(await ask(question))) return false;
    await call('PATCH', path('providers', view.slug), { body: { [previous]: null }, etag: view.etag });
  }, say('previousDropped'));
