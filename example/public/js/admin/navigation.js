/** Where the address leads: `#/users/42?order=oldest` → `{ segments: ['users', '42'], query: { order: 'oldest' } }`. */
export function currentRoute() {
  const [path = '', search = ''] = location.hash.slice(1).split('?');
  const segments = path.split('/').filter((segment) => segment !== '');
  return { segments: segments.map(decode), query: Object.fromEntries(new URLSearchParams(search)) };
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

let show = () => Promise.resolve();

/** `view` shows what the address leads to; called now, and when the address changes. */
export function startNavigation(view) {
  show = view;
  window.addEventListener('hashchange', () => view({ isNew: true }));
}

/** Shows the view anew, with what has changed on the server. */
export const reload = () => show({ isNew: false });

/** Leads to another view; resolves once it is there. */
export function go(hash) {
  history.pushState(null, '', hash);
  return show({ isNew: true });
}
