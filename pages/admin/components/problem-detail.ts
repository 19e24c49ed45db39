import type { Problem } from '../../shared/api';
import { codeWords, words } from '../../shared/language';

const say = words({
  other: ['另一个登录入口：{provider}', 'The other provider: {provider}'],
  lost: [
    '有用户绑定在 {apps}，且没有其他登录入口接收它的撤回授权通知。先为它另建一个登录入口。',
    'Users are linked to {apps}, and no other provider takes its withdrawals. Give it a row of its own first.',
  ],
  member: ['出错的字段：{member}', 'The field that is wrong: {member}'],
  usedBy: ['使用者：{uses}', 'Used by: {uses}'],
  unfinished: [
    '上一次更换还没有完成：先停用旧值。',
    'The last change is not finished: drop the old value first.',
  ],
});

/** Uses as `used_by` names them; one that is newer than this page is shown as it is. */
const useName = codeWords({
  identities: ['用户的微信身份', 'identities of users'],
  logins: ['登录尝试', 'sign-in attempts'],
  sessions: ['会话', 'sessions'],
});

/** What a refusal adds to the text of its code; null where it adds nothing. */
export function problemDetail({ details }: Problem): string | null {
  const { apps, provider, used_by: uses, secret, member } = details;
  if (typeof apps === 'string') return say('lost', { apps });
  if (typeof provider === 'string') return say('other', { provider });
  if (typeof secret === 'string') return say('unfinished');
  if (typeof member === 'string') return say('member', { member });
  if (typeof uses === 'string') return say('usedBy', { uses: uses.split(', ').map(useName).join(', ') });
  return null;
}
