import { onBeforeUnmount, onMounted, watchEffect } from 'vue';
import { onBeforeRouteLeave, onBeforeRouteUpdate } from 'vue-router';
import { words } from '../../shared/language';
import { ask } from './feedback';

const say = words({
  title: ['还有未保存的修改', 'There are unsaved changes'],
  text: ['离开此页，未保存的修改会丢失。', 'They are lost when you leave this page.'],
  leave: ['离开', 'Leave'],
});

/**
 * Asks before a page with unsaved edits is left: by a link or Back of the administration in its own words, by closing or
 * reloading in the browser’s.
 */
export function useUnsavedWarning(isDirty: () => boolean): void {
  const warn = (event: BeforeUnloadEvent) => {
    if (isDirty()) event.preventDefault();
  };
  const mayLeave = async () =>
    !isDirty() || (await ask({ title: say('title'), text: say('text'), action: say('leave') })) !== null;
  onMounted(() => window.addEventListener('beforeunload', warn));
  onBeforeUnmount(() => window.removeEventListener('beforeunload', warn));
  onBeforeRouteLeave(mayLeave);
  onBeforeRouteUpdate((to, from) => to.path === from.path || mayLeave());
}

/** Keeps focused fields above a bar at the lower edge when the browser scrolls to them. */
export function useRoomBelow(isNeeded: () => boolean): void {
  const { style } = document.documentElement;
  watchEffect(() => {
    style.scrollPaddingBlock = isNeeded() ? '4.5rem 8rem' : '';
  });
  onBeforeUnmount(() => (style.scrollPaddingBlock = ''));
}
