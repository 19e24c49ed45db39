/** An element. Children are put in as text, never as markup: nicknames are written by strangers. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') listen(element, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function listen(element, listeners) {
  for (const [event, listener] of Object.entries(listeners)) element.addEventListener(event, listener);
}

/** A button that does nothing more while its work goes on; it keeps the focus, to which a dialog returns. */
export function button(label, kind, work) {
  const press = async () => {
    if (element.ariaBusy === 'true') return;
    element.ariaBusy = 'true';
    await work();
    element.ariaBusy = 'false';
  };
  const element = el('button', { type: 'button', class: `button ${kind}`, on: { click: press } }, label);
  return element;
}

/** A link to another view of this page. */
export const link = (label, ...segments) => el('a', { href: hashOf(segments) }, label);

/** `#/users/…`, with whatever it leads to encoded. */
export const hashOf = (segments, query = {}) => {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  const path = segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
  return `#${path}${search.size > 0 ? `?${search}` : ''}`;
};

/** A framed part of a view. */
export const card = (title, ...children) =>
  el('section', { class: 'card' }, el('h3', {}, title), ...children);

/** A small label. */
export const tag = (label, kind = 'quiet') => el('span', { class: `tag ${kind}` }, label);

/** Names and values; what has none is left out. */
export const facts = (pairs) =>
  el(
    'dl',
    {},
    ...pairs.flatMap(([name, value]) =>
      value === null || value === undefined ? [] : [el('dt', {}, name), el('dd', {}, value)],
    ),
  );

/** A labelled control with what there is to know about it. */
export function field(label, control, help) {
  control.id ||= `control-${(field.count = (field.count ?? 0) + 1)}`;
  if (help) control.setAttribute('aria-describedby', `${control.id}-help`);
  return el(
    'div',
    { class: 'field' },
    el('label', { for: control.id }, label),
    control,
    help ? el('p', { class: 'help', id: `${control.id}-help` }, help) : null,
  );
}

/** A drop-down list of `[value, label]` pairs. */
export const select = (attributes, options, chosen) =>
  el(
    'select',
    attributes,
    ...options.map(([value, label]) => el('option', { value, selected: value === chosen }, label)),
  );
