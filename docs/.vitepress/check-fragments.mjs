// VitePress looks for the page of a link, not for the heading in it.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Every page of the built site by its address, with the links that it has and the ids that it offers. */
async function readPages(folder, base) {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.html'));
  const entries = names.map(async (name) => {
    const html = await readFile(join(folder, name), 'utf8');
    const address =
      base +
      name
        .replaceAll('\\', '/')
        .replace(/(^|\/)index\.html$/, '$1')
        .replace(/\.html$/, '');
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    return [address, { ids, links: [...html.matchAll(/ href="([^"]+)"/g)].map(([, link]) => link) }];
  });
  return new Map(await Promise.all(entries));
}

/** @throws Error that names the links which lead to no page, or to no heading of it */
export async function checkFragments(folder, base) {
  const pages = await readPages(folder, base);
  const dead = [...pages].flatMap(([from, { links }]) =>
    links.flatMap((link) => {
      const { pathname, hash, origin } = new URL(link, `http://site${from}`);
      if (origin !== 'http://site' || /\.\w+$/.test(pathname)) return [];
      const page = pages.get(pathname);
      const isThere = page !== undefined && (hash === '' || page.ids.has(decodeURIComponent(hash.slice(1))));
      return isThere ? [] : [`${link} on ${from}`];
    }),
  );
  if (dead.length > 0) throw new Error(`dead links:\n${[...new Set(dead)].join('\n')}`);
}
