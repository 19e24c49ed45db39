import { call, path } from './api.js';
import { state } from './columns.js';
import { ask } from './dialog.js';
import { button, card, el, tag } from './dom.js';
import { change } from './messages.js';
import { say, time } from './say.js';

/** Which keys sign and seal; never the keys themselves. */
export async function keysView() {
  const { body } = await call('GET', 'keys');
  return [
    card(
      say('signingKeys'),
      el('p', { class: 'hint' }, say('signingKeysHint')),
      table(
        ['kid', say('state'), say('created'), say('activeAt'), say('retiresAt'), say('actions')],
        body.signing_keys.map((key) => [
          el('code', {}, key.kid),
          state(key.state),
          time(key.created_at),
          time(key.active_at),
          time(key.retires_at),
          key.state === 'retired' ? null : button(say('revoke'), 'small danger', () => revoke(key.kid)),
        ]),
      ),
      button(say('rotate'), 'quiet', rotate),
    ),
    card(
      say('sealingKeys'),
      el('p', { class: 'hint' }, say('sealingKeysHint')),
      table(
        ['id', say('state'), say('providerSecrets'), say('signingKeys')],
        body.sealing_keys.map((key) => [
          el('code', {}, key.key_id ?? say('unknownKey')),
          key.is_current
            ? tag(say('currentKey'), 'good')
            : key.is_configured
              ? tag(say('configuredKey'))
              : tag(say('missingKey'), 'bad'),
          String(key.provider_secrets),
          String(key.signing_keys),
        ]),
      ),
      button(say('reseal'), 'quiet', reseal),
    ),
  ];
}

const table = (heads, rows) =>
  el(
    'div',
    { class: 'sheet' },
    el(
      'table',
      {},
      el('thead', {}, el('tr', {}, ...heads.map((head) => el('th', { scope: 'col' }, head)))),
      el(
        'tbody',
        {},
        ...rows.map((cells) =>
          el(
            'tr',
            {},
            ...cells.map((cell, index) =>
              el('td', { 'data-label': heads[index] }, el('div', {}, cell ?? '–')),
            ),
          ),
        ),
      ),
    ),
  );

const rotate = () =>
  change(async () => {
    if (!(await ask({ title: say('rotate'), text: say('rotateText'), action: say('rotate') }))) return false;
    await call('POST', 'keys/rotate', { body: {} });
  }, say('rotated'));

const reseal = () => change(() => call('POST', 'keys/reseal'), say('resealed'));

const revoke = (kid) =>
  change(async () => {
    const word = kid.slice(0, 6);
    if (!(await ask({ title: say('revokeKey'), text: say('revokeKeyText'), action: say('revoke'), word })))
      return false;
    await call('DELETE', path('keys', kid));
  }, say('keyRevoked'));
