import { readFile } from 'node:fs/promises';
import { auditActions } from '../../src/audit/audit-actions.js';

it.each(['administration.md', 'administration.zh-CN.md'])(
  'docs/%s lists every action of the audit log',
  async (name) => {
    const document = await readFile(`docs/${name}`, 'utf8');

    const listed = [
      ...document.matchAll(
        /`((?:login|session|identity|user|provider|role|key|event|webhook|limit)\.[a-z_]+)`/g,
      ),
    ];

    expect([...new Set(listed.map(([, action]) => action))].sort()).toEqual([...auditActions].sort());
  },
);
