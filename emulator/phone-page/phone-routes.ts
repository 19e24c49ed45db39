import { json, page, redirect } from '../http/answers.js';
import { header, type Answer, type Incoming } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import { speakTo } from '../pages/language.js';
import type { Platform } from '../platform.js';
import type { Population } from '../population.js';
import type { NavigationOptions } from '../web-view/web-view.js';
import { OriginMapping } from './origin-mapping.js';
import { peoplePage } from './people-page.js';
import { phonePage } from './phone-page.js';
import { phoneState } from './phone-state.js';
import { WebOrigins } from './web-origins.js';
import { webProxy, type WebProxyParts } from './web-proxy.js';
import { WebVisits } from './web-visit.js';

const webHost = /^web-[0-9a-f]{16}\.phone\.localhost$/;

/** The phone for people and browser tests: `/phone`, and the web view behind `web-….phone.localhost`. */
export function phonePageRoutes(platform: Platform, population: Population): readonly Route[] {
  const parts = { platform, population, origins: new WebOrigins(), visits: new WebVisits() };
  const quiet = true as const;
  return [
    { method: '*', path: '*', host: webHost, quiet, respond: (incoming) => webProxy(parts, incoming) },
    { method: 'GET', path: '/phone', quiet, respond: (incoming) => showPhone(parts, incoming) },
    { method: 'GET', path: '/phone/web', quiet, respond: (incoming) => openWebView(parts, incoming) },
    {
      method: 'GET',
      path: '/phone/state',
      quiet,
      respond: ({ query }) => {
        const person = parts.population.find(query.get('person') ?? '');
        return person
          ? json(phoneState(parts.platform, parts.visits, person))
          : json({ error: 'nobody' }, 404);
      },
    },
    { method: 'GET', path: '/', quiet, respond: () => redirect('/phone') },
  ];
}

function showPhone({ platform, population }: WebProxyParts, incoming: Incoming): Answer {
  const speak = speakTo(incoming);
  const better = sameSiteAddress(incoming);
  if (better !== undefined) return redirect(better);
  const person = population.find(incoming.query.get('person') ?? '');
  if (person) return page(phonePage(speak, person));
  return page(
    peoplePage(
      speak,
      population.all().filter(({ id }) => !platform.world.people.get(id).closed),
    ),
  );
}

/** Opens a real address in a person's web view: the browser goes on to the name that stands for its site. */
function openWebView({ population, origins, visits }: WebProxyParts, incoming: Incoming): Answer {
  const { query } = incoming;
  const person = population.find(query.get('person') ?? '');
  const url = query.get('url') ?? '';
  if (!person || !/^https?:\/\//.test(url) || !URL.canParse(url)) return redirect('/phone');
  const from = query.get('from');
  const options: NavigationOptions = {
    ...(from === null ? {} : { fromChat: from }),
    ...(query.has('fullService') ? { fullService: true } : {}),
  };
  visits.begin(person.id, url, options);
  const port = /:\d+$/.exec(header(incoming, 'host'))?.[0] ?? '';
  return redirect(new OriginMapping(origins, person.id, port).toBrowser(new URL(url)));
}

/**
 * The phone page belongs on `phone.localhost`, next to the sites in its frame. Chromium and Firefox know such names
 * themselves; others may not, and elsewhere than on this machine they lead nowhere.
 */
function sameSiteAddress(incoming: Incoming): string | undefined {
  const [hostname = '', port] = header(incoming, 'host').split(':');
  const looksItUp = /Chrome|Chromium|Firefox/.test(header(incoming, 'user-agent'));
  if (!looksItUp || !/^(?:localhost|127(?:\.\d+){3})$/.test(hostname)) return undefined;
  const query = incoming.rawQuery === '' ? '' : `?${incoming.rawQuery}`;
  return `http://phone.localhost${port === undefined ? '' : `:${port}`}${incoming.path}${query}`;
}
