import { el, field, select, tag } from './dom.js';
import { say } from './say.js';

/**
 * A control of a provider's column: `element`, `value()` as the API takes it, `isChanged()`, and `adopt(view)`, which
 * takes over what the server holds unless the person has changed it here.
 */
export function controlOf(spec, view) {
  if (spec.kind === 'secret') return secretControl(spec, view);
  const input = inputOf(spec);
  const write = (value) => {
    if (spec.kind === 'switch') input.checked = value;
    else input.value = value ?? '';
  };
  const read = () =>
    spec.kind === 'switch' ? input.checked : input.value.trim() || (spec.canClear ? null : '');
  const initialOf = (from) => from?.[spec.column] ?? initialValue(spec);
  let initial = initialOf(view);
  write(initial);
  const isChanged = () => read() !== initial;
  const adopt = (newer) => {
    const isMine = isChanged();
    initial = initialOf(newer);
    if (!isMine) write(initial);
  };
  const label = say(`p_${spec.column}`);
  const element = field(label, input, say(`p_${spec.column}_help`));
  return { column: spec.column, element, value: read, isChanged, adopt };
}

const initialValue = ({ kind, initial, options, canClear }) =>
  kind === 'switch' ? initial : kind === 'choice' ? options[0] : canClear ? null : '';

function inputOf({ column, kind, options, pattern, maxlength, isRequired, isCode }) {
  if (kind === 'switch') return el('input', { type: 'checkbox', name: column, class: 'switch' });
  if (kind === 'choice')
    return select(
      { name: column },
      options.map((option) => [option, say(`p_${column}_${option}`)]),
    );
  return el('input', {
    name: column,
    pattern,
    maxlength,
    required: isRequired === true,
    autocomplete: 'off',
    spellcheck: 'false',
    class: isCode ? 'code' : undefined,
    title: say(`p_${column}_help`),
  });
}

/** The server never shows a secret: it can be set, replaced or cleared. */
function secretControl({ column, pattern }, view) {
  const isSet = view?.secrets[column] === true;
  const input = el('input', {
    type: 'password',
    name: column,
    pattern,
    autocomplete: 'new-password',
    title: say(`p_${column}_help`),
    hidden: isSet,
  });
  let isCleared = false;
  const status = tag(say(isSet ? 'secretSet' : 'secretUnset'), isSet ? 'good' : 'quiet');
  const turn = (cleared, shown) => {
    isCleared = cleared;
    input.hidden = !shown;
    if (!shown) input.value = '';
    status.textContent = say(cleared ? 'secretCleared' : isSet ? 'secretSet' : 'secretUnset');
    keep.hidden = !isSet || (!cleared && !shown);
    replace.hidden = clear.hidden = !isSet || cleared || shown;
    if (shown) input.focus();
  };
  const quiet = (label, press) =>
    el('button', { type: 'button', class: 'button small', on: { click: press } }, label);
  const replace = quiet(say('replace'), () => turn(false, true));
  const clear = quiet(say('clear'), () => turn(true, false));
  const keep = quiet(say('keep'), () => turn(false, false));
  for (const [press, verb] of [
    [replace, 'replace'],
    [clear, 'clear'],
    [keep, 'keep'],
  ])
    press.setAttribute('aria-label', `${say(verb)}: ${say(`p_${column}`)}`);
  const element = field(say(`p_${column}`), input, say(`p_${column}_help`));
  input.before(el('div', { class: 'secret' }, status, replace, clear, keep));
  keep.hidden = true;
  replace.hidden = clear.hidden = !isSet;
  const value = () => (isCleared ? null : input.value.trim());
  const isChanged = () => isCleared || input.value.trim() !== '';
  return { column, element, value, isChanged, adopt: () => undefined };
}
