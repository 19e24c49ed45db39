// Prints the numbers that say how easily the house is taken over: `npm run house`; fails where files import in a circle, which
// eslint does not see if only types do. docs/architecture.md holds the numbers to keep.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const read = (path) => readFileSync(path, 'utf8');
const filesOf = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));

const src = filesOf('src');
const linesOf = new Map(src.map((path) => [path, read(path).split('\n').length - 1]));
const sum = [...linesOf.values()].reduce((total, lines) => total + lines, 0);

/** Circles of imports, those of types too: the strongly connected components with more than one file (Tarjan). */
function circlesOf(paths) {
  const known = new Set(paths);
  const importsOf = (path) =>
    [...read(path).matchAll(/^(?:import|export)\b[^;]*?from '(\.[^']+)\.js'/gm)]
      .map(([, name]) => normalize(`${join(dirname(path), name)}.ts`))
      .filter((target) => known.has(target));
  const order = new Map();
  const low = new Map();
  const stack = [];
  const circles = [];
  const visit = (path) => {
    order.set(path, order.size);
    low.set(path, order.get(path));
    stack.push(path);
    for (const target of importsOf(path)) {
      if (!order.has(target)) visit(target);
      if (stack.includes(target)) low.set(path, Math.min(low.get(path), low.get(target)));
    }
    if (low.get(path) !== order.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1) circles.push(circle);
  };
  for (const path of paths) if (!order.has(path)) visit(path);
  return circles;
}

/** The files that a walk in docs/architecture.md names, which are there. */
function walkOf(title) {
  const [, text = ''] = read('docs/architecture.md').split(`### ${title}\n`);
  const named = [...(text.split('\n#')[0] ?? '').matchAll(/`(src\/[^`]+\.ts)`/g)].map(([, path]) => path);
  for (const path of named) if (!linesOf.has(path)) throw new Error(`${title}: there is no ${path}`);
  return new Set(named).size;
}

/** In how many places of `src` a pattern stands. */
const placesOf = (pattern) =>
  src.reduce((count, path) => count + (read(path).match(pattern)?.length ?? 0), 0);

const circles = circlesOf(['src', 'cli', 'emulator', 'bench'].flatMap(filesOf));
for (const circle of circles) console.error(`circle: ${circle.join(' → ')}`);
const numbers = {
  'src: files': { is: src.length, most: 300 },
  // 90 % of 27,613 lines at the start of the rebuilding, and 13,900 that features and duties have added since.
  'src: lines': { is: sum, most: 38_752 },
  'src: top-level entries': { is: readdirSync('src').length, most: 26 },
  'src: files of at most 20 lines': {
    is: [...linesOf.values()].filter((lines) => lines <= 20).length,
    most: 9,
  },
  'circles between files': { is: circles.length, most: 0 },
  'walk: a sign-in by redirect': { is: walkOf('A sign-in by redirect'), most: 45 },
  'walk: a scan': { is: walkOf('A scan'), most: 35 },
  'walk: a change of a provider row': { is: walkOf('A change of a provider row'), most: 13 },
  'places that create a user': { is: placesOf(/INSERT INTO iam\.users\b/g), most: 1 },
  'places that lock users': { is: placesOf(/iam\.users u? ?WHERE id[^`]*FOR UPDATE/g), most: 1 },
  'places that unlink an identity': { is: placesOf(/DELETE FROM iam\.identities WHERE appid/g), most: 1 },
  'places that end a user’s access': { is: placesOf(/sessions\.endAll\(/g), most: 1 },
};
console.table(numbers);
for (const [name, { is, most }] of Object.entries(numbers)) {
  if (is <= most) continue;
  console.error(`${name}: ${is}, at most ${most}`);
  process.exitCode = 1;
}
