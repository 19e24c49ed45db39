import { nextTick } from 'vue';
import { createRouter, createWebHistory } from 'vue-router';
import { settings } from '../shared/settings';
import { may } from './access';
import { sections } from './sections';

/** The path of a view: `/users/…`. Parameters of paths are encoded by the router. */
const routes = sections.flatMap(({ name, permission, views, word }) =>
  Object.entries(views).map(([below, component]) => ({
    path: below === '' ? `/${name}` : `/${name}/${below}`,
    component,
    props: true,
    meta: { section: name, permission, word },
  })),
);

let hasPopped = false;
let cameBack = false;
// Before the router listens: its guards run in microtasks, which come before the next listener.
window.addEventListener('popstate', () => (hasPopped = true));

export const router = createRouter({
  history: createWebHistory(`${settings.base}/ui/admin`),
  routes: [
    ...routes,
    { path: '/', component: () => import('./views/StartView.vue') },
    { path: '/:rest(.*)*', component: () => import('./views/NotFoundView.vue') },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

/** The section that a person lands in who asked for none. */
export const firstSection = () => sections.find(({ permission }) => may(permission)) ?? null;

/** True where the present view was reached by Back or Forward, so that it may show what it showed before. */
export const isRevisit = () => cameBack;

let isFirst = true;
router.beforeEach(() => {
  cameBack = hasPopped;
  hasPopped = false;
});
router.afterEach(async (to, from) => {
  const isSameView = to.path === from.path;
  const wasFirst = isFirst;
  isFirst = false;
  if (isSameView || wasFirst) return;
  await nextTick();
  // For screen readers: a new view is announced by its heading. Focus must not undo the position that Back restores.
  document.querySelector<HTMLElement>('#main')?.focus({ preventScroll: true });
});
