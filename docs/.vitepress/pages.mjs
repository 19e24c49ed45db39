// Which files of the repository are pages of the site, at which addresses, and how links between them are written.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';

export const root = join(import.meta.dirname, '../..');
export const repository = 'https://github.com/nestjs-wechat-iam/nestjs-wechat-iam';

const textOf = (path) => readFileSync(join(root, path), 'utf8');
const filesBelow = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((path) => path.endsWith('.md') && !path.includes('/.vitepress/'));

/** Every page by its path in the repository. */
export const pages = [
  ...['README.md', 'README.zh-CN.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'emulator/README.md'],
  ...filesBelow('docs'),
].toSorted();

/** What VitePress is not to look into. */
export const excluded = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !pages.some((path) => path.startsWith(`${entry.name}/`)))
  .map(({ name }) => `${name}/**`)
  .concat('docs/.vitepress/**');

/** The path of a page on the site: `docs/guides/x.zh-CN.md` is `zh-CN/guides/x.md`. */
export function siteOf(path) {
  const english = path.replace('.zh-CN.md', '.md');
  const below = english
    .replace(/^README\.md$/, 'start.md')
    .replace(/^emulator\/README\.md$/, 'emulator.md')
    .replace(/^docs\//, '')
    .replace(/(^|\/)README\.md$/, '$1index.md')
    .replace(/^[A-Z]+\.md$/, (name) => name.toLowerCase());
  return english === path ? below : `zh-CN/${below}`;
}

/** The addresses that there are in both languages. */
export const translated = pages
  .filter((path) => pages.includes(path.replace(/\.md$/, '.zh-CN.md')))
  .map((path) => siteOf(path));

/** Where a link of a page leads on the site: to a page of it, else to the file on GitHub. @throws Error where there is no file */
export function linkOf(page, href) {
  const [, target, hash] = /^([^#]*)(.*)$/.exec(
    href.replace(new RegExp(`^${repository}/(?:blob|tree)/main/`), '/'),
  );
  if (/^[a-z]+:/.test(target) || target === '') return href;
  const path = posix.normalize(target.startsWith('/') ? target.slice(1) : posix.join(dirname(page), target));
  const found = [path, posix.join(path, 'README.md')].find((each) => pages.includes(each));
  if (found !== undefined) return `/${siteOf(found).replace(/(^|\/)index\.md$/, '$1')}${hash}`;
  if (!existsSync(join(root, path))) throw new Error(`${page} links to ${href}: there is no ${path}`);
  return `${repository}/blob/main/${path}${hash}`;
}

/** The headings of GitHub, so that links with a fragment lead to the same place there and here. */
export const slugOf = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

/** A markdown-it plugin that rewrites the links between files to links between pages. */
export function linkPages(markdown) {
  markdown.core.ruler.push('links_between_pages', ({ tokens, env }) => {
    const page = relative(root, env.realPath ?? env.path).replaceAll('\\', '/');
    for (const token of tokens.flatMap(({ children }) => children ?? []))
      if (token.type === 'link_open') token.attrSet('href', linkOf(page, token.attrGet('href')));
  });
}

/** The groups of an index page (`docs/README.md`): each heading of it with the links of its list. */
export function groupsOf(index) {
  const [, ...groups] = textOf(index).split(/^## /m);
  return groups.map((group) => {
    const [title = ''] = group.split('\n');
    const links = [...group.matchAll(/^\* \[(.+?)\]\((.+?)\)/gm)];
    return { text: title, items: links.map(([, text, href]) => ({ text, link: linkOf(index, href) })) };
  });
}

/** @throws Error that names the pages of the guides and the reference which an index leaves out */
export function checkIndex(index, isListed) {
  const links = groupsOf(index).flatMap(({ items }) => items.map(({ link }) => link));
  const left = pages.filter((path) => isListed(path) && !links.includes(linkOf('', path)));
  if (left.length > 0) throw new Error(`${index} does not list ${left.join(', ')}`);
}

/** Every decision, in order. */
export const decisions = pages
  .filter((path) => /^docs\/decisions\/\d/.test(path))
  .map((path) => ({ text: /^# (.+)$/m.exec(textOf(path))?.[1] ?? path, link: linkOf('', path) }));
