// `npm run docs`: writes docs/reference/ anew.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { root } from './markdown.js';
import { folder, makeReference } from './reference.js';

const pages = makeReference();
await rm(root + folder, { recursive: true, force: true });
await mkdir(root + folder);
for (const [path, text] of pages) await writeFile(root + path, text);
console.log(`${pages.size} pages in ${folder}`);
