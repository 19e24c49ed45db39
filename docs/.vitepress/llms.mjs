// What a language model reads: llms.txt, the pages as Markdown beside the HTML, and all guides in one file (https://llmstxt.org).
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { linkOf, pages, root, siteOf } from './pages.mjs';

const host = 'https://nestjs-wechat-iam.github.io';
const isWhole = (path) => !/\.zh-CN\.md$|^docs\/(decisions\/|README)|^(CHANGELOG|CONTRIBUTING)/.test(path);

/** A page with links that work outside of the repository. */
async function read(path, base) {
  const text = await readFile(join(root, path), 'utf8');
  return text.replace(/\]\((?!#)([^)\s]+)\)/g, (link, href) => {
    const target = linkOf(path, href);
    return target.startsWith('/') ? `](${host}${base}${target.slice(1)})` : link.replace(href, target);
  });
}

export async function writeForMachines(folder, base) {
  const texts = new Map();
  for (const path of pages) texts.set(path, await read(path, base));
  for (const [path, text] of texts) {
    const file = join(folder, siteOf(path));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  await writeFile(join(folder, 'llms.txt'), texts.get('docs/README.md'));
  const whole = [...texts].filter(([path]) => isWhole(path)).map(([, text]) => text.trim());
  await writeFile(join(folder, 'llms-full.txt'), `${whole.join('\n\n---\n\n')}\n`);
}
