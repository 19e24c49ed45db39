import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { folder, makeReference } from '../../scripts/docs/reference.js';
import { declaredOptions } from '../../scripts/docs/options.js';
import { resolveOptions, resolveStatics } from '../../src/config/iam.resolved-options.js';
import { mountedRoutes } from './mounted-routes.js';
import { root } from './pages.js';

describe('docs/reference', () => {
  const made = makeReference();

  it.each([...made.keys()])('%s is what `npm run docs` makes of the code', (path) => {
    const kept = existsSync(root + path) ? readFileSync(root + path, 'utf8') : '';

    expect(kept).toBe(made.get(path));
  });

  it('has no page that is made by hand', () => {
    const kept = readdirSync(root + folder).map((name) => folder + name);

    expect(kept.toSorted()).toEqual([...made.keys()].toSorted());
  });

  it('lists every endpoint that Nest mounts', () => {
    const listed = made.get(`${folder}endpoints.md`)?.matchAll(/^\| `([A-Z]+ \/iam\/[^`]*)`/gm) ?? [];

    expect([...listed].map(([, route]) => route).toSorted()).toEqual(mountedRoutes().toSorted());
  });

  it('has in Chinese every number of an English summary', () => {
    const numbersOf = (page: string): ReadonlyMap<string | undefined, readonly string[]> => {
      const rows = made.get(folder + page)?.matchAll(/^\| `([A-Z]+ [^`]+)` \| .*? \| (.*?) \|/gm) ?? [];
      return new Map([...rows].map(([, route, summary]) => [route, summary?.match(/\d+(,\d+)*/g) ?? []]));
    };
    const chinese = numbersOf('endpoints.zh-CN.md');
    const missing = [...numbersOf('endpoints.md')].map(([route, numbers]) => [
      route,
      numbers.filter((number) => chinese.get(route)?.includes(number) !== true),
    ]);

    expect(missing).toEqual([...chinese.keys()].map((route) => [route, []]));
  });
});

describe('the default that the comment of an option names', () => {
  const statics = resolveStatics({});
  const resolved = {
    ...resolveOptions(
      {
        publicUrl: 'https://app.example.com',
        keys: [Buffer.alloc(32).toString('base64')],
        clients: [{ id: 'web', redirectUris: ['https://app.example.com/'] }],
      },
      statics,
    ),
    ...statics,
  };
  const valueOf = (name: string): unknown => name.split('.').reduce<unknown>(memberOf, resolved);
  /** Of connections that the module makes only where it is told to; of an array; or in words. */
  const isElsewhere = /^(database|clients\[\])\b/;
  const literal = /^(\d+|true|false|never|allow|skip|host_wins|iam:?)\b/;
  const options = declaredOptions().filter(
    ({ name, defaultText = '' }) => !isElsewhere.test(name) && literal.test(defaultText),
  );

  it.each(options)('is what $name has when nothing is said: $defaultText', ({ name, defaultText = '' }) => {
    if (name === 'wechat.allowLoopback') return;

    expect(String(valueOf(name))).toBe(defaultText.replace(/ \(.*/, ''));
  });
});

function memberOf(value: unknown, name: string): unknown {
  const members = new Map<string, unknown>(
    typeof value === 'object' && value !== null ? Object.entries(value) : [],
  );
  return members.get(name);
}
