import { decodePercent } from './decode-percent.js';
import type { Incoming, Responder } from './exchange.js';

/** One line of the route table: `:name` stands for one path segment, a trailing `*` for the rest. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | '*';
  readonly path: string;
  readonly respond: Responder;
  /** Only for these host names. */
  readonly host?: RegExp;
  /** The emulator's own business: neither logged as a call nor spoilt by faults. */
  readonly quiet?: true;
}

/** A route that fits, with the named parts of the path. */
export interface RouteMatch {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** The first route in the table that fits. */
export function findRoute(
  routes: readonly Route[],
  { method, path, headers }: Pick<Incoming, 'method' | 'path' | 'headers'>,
): RouteMatch | undefined {
  const host = (headers.host ?? '').split(':')[0] ?? '';
  for (const route of routes) {
    const params = matchPath(route.path, path);
    const methodFits = route.method === '*' || route.method === (method === 'HEAD' ? 'GET' : method);
    const hostFits = route.host === undefined || route.host.test(host);
    if (params && methodFits && hostFits) return { route, params };
  }
  return undefined;
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  if (pattern.endsWith('*')) return path.startsWith(pattern.slice(0, -1)) ? {} : undefined;
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = decodePercent(value);
    else if (part !== value) return undefined;
  }
  return params;
}
