import { trusted, type Markup } from '../pages/html.js';

const shapes = {
  chats:
    'M4 5.5h16a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5h-8.5L7 21v-3.5H4A1.5 1.5 0 0 1 2.5 16V7A1.5 1.5 0 0 1 4 5.5z',
  scan: 'M3 8V4.5A1.5 1.5 0 0 1 4.5 3H8M16 3h3.5A1.5 1.5 0 0 1 21 4.5V8M21 16v3.5a1.5 1.5 0 0 1-1.5 1.5H16M8 21H4.5A1.5 1.5 0 0 1 3 19.5V16M4 12h16',
  link: 'M12 2.8a9.2 9.2 0 1 1 0 18.4 9.2 9.2 0 0 1 0-18.4zM3 12h18M12 2.8c5 5.6 5 12.8 0 18.4M12 2.8c-5 5.6-5 12.8 0 18.4',
  me: 'M12 3a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM3.5 21c.4-4.2 4-6.5 8.500-6.500s8.100 2.300 8.500 6.500z',
} as const;

/** What has a picture on the phone. */
export type IconName = keyof typeof shapes;

/** A line drawing in the colour of the text, so that no font is needed. */
export function icon(name: IconName): Markup {
  return trusted(
    `<svg viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="${shapes[name]}"/></svg>`,
  );
}
