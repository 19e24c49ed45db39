import { readFile } from 'node:fs/promises';
import { auditActions } from '../../src/audit/audit-actions.js';

const rowsOf = async (name: string) => {
  const document = await readFile(`docs/${name}`, 'utf8');
  const nouns = 'login|session|identity|user|provider|role|key|event|webhook|limit';
  const rows = document.matchAll(new RegExp(`^\\| \`((?:${nouns})\\.[a-z_]+)\` \\| (.+) \\|$`, 'gm'));
  return Object.fromEntries(
    [...rows].map(([, action = '', sentence = '']): [string, string] => [action, sentence]),
  );
};

it('docs/administration.md says of every action of the audit log what has happened', async () => {
  expect(await rowsOf('administration.md')).toEqual(auditActions);
});

it('docs/administration.zh-CN.md lists every action of the audit log', async () => {
  const rows = await rowsOf('administration.zh-CN.md');
  expect(Object.keys(rows).sort()).toEqual(Object.keys(auditActions).sort());
});
