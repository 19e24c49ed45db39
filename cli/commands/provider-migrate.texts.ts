import type { PredictedMove } from '../../src/users/openid-moves.service.js';

const en = {
  description: `Moves people to another Official Account, after WeChat has migrated the account: asks WeChat for their new openids, a
hundred at a time, and adds each to its user beside the old one. The row has the new account already. WeChat answers for 15
days after the migration. Stopped in the middle, the next run goes on; run it as often as you like, beside running
applications. Two users are never merged by it: they are listed. Exit code 1 when somebody is left to decide or to ask.`,
  options: {
    'from-app-id': 'AppID of the old Official Account',
    'to-app-id': 'AppID of the new one, which the row has',
    'from-original-id': 'original ID of the old one, tried when WeChat does not take its AppID',
    'dry-run': 'ask WeChat and say what would happen; nothing is changed',
    'ask-again': 'ask again about those who were no followers before',
    'no-wait': 'end instead of waiting for a quota or for WeChat',
  },
  summary: (total: number) => `${total} people have signed in by the old account.`,
  previewSummary: (total: number) =>
    `${total} people have signed in by the old account. Nothing was changed; a run would come to:`,
  heading: ['outcome', 'people', 'meaning'],
  outcomes: {
    joined: 'have the new openid, added by a migration',
    already_there: 'had the new openid before',
    second_user: 'have signed in anew and are a second user: to be merged',
    barred: 'not added: the new openid is covered by a ban of somebody else',
    not_follower: 'WeChat knows no new openid: no follower when the account moved',
    unfinished: 'not asked about yet, or without an answer',
  },
  pairHeading: ['user', 'other user', 'merge'],
  mergeAdvice: ({ outcome, status, other_status, union_scopes }: PredictedMove) => {
    if (outcome === 'barred') return 'lift the ban first';
    if (status === 'disabled' || other_status === 'disabled') return 'not while one is disabled';
    return union_scopes.length > 0 ? `with force: two unionids in ${union_scopes.join(', ')}` : 'yes';
  },
  merge: `Merge each pair by the admin API, where your application's onMerge runs: POST …/admin/users/<user>/merge {"other":"<other user>"},
with "force": true where it says so. Then run this again.`,
  runAgain: 'Run it again for those who are unfinished.',
  wechatMessage: 'WeChat said',
  stopped: 'What is done stays done: Ctrl-C is safe, and the next run goes on.',
  pauses: {
    day_quota: (seconds: number) =>
      `Today's quota of WeChat is used up. Waiting ${hours(seconds)} h, until 00:00 in Beijing.`,
    minute_quota: (seconds: number) => `Too many calls in this minute. Waiting ${seconds} s.`,
    unavailable: (seconds: number) => `WeChat does not answer. Waiting ${seconds} s.`,
  },
};

/** The texts of `provider migrate`. */
export type MigrationTexts = typeof en;

const zh: MigrationTexts = {
  description: `公众号迁移完成后，把用户迁到新公众号：每次向微信查询一百个新 openid，并加到各自的用户上，旧的保留。
身份源里要先填好新公众号。迁移完成后微信只在 15 天内回答。中途停止后，再次运行会接着做；可以多次运行，
应用无需停止。它从不合并两个用户，只列出来。还有人待处理或待查询时，退出码为 1。`,
  options: {
    'from-app-id': '旧公众号的 AppID',
    'to-app-id': '新公众号的 AppID，身份源里已是它',
    'from-original-id': '旧公众号的原始 ID，微信不认 AppID 时使用',
    'dry-run': '只查询微信并说明会怎样，不做任何修改',
    'ask-again': '重新查询之前不是粉丝的人',
    'no-wait': '遇到额度用尽或微信不可用时直接结束，不等待',
  },
  summary: (total) => `有 ${total} 人通过旧公众号登录过。`,
  previewSummary: (total) => `有 ${total} 人通过旧公众号登录过。未做任何修改；正式运行的结果会是：`,
  heading: ['结果', '人数', '含义'],
  outcomes: {
    joined: '已由迁移加上新 openid',
    already_there: '此前已有新 openid',
    second_user: '已重新登录，成了第二个用户：需要合并',
    barred: '未加上：新 openid 在另一个人的封禁范围内',
    not_follower: '微信没有新 openid：迁移时不是粉丝',
    unfinished: '尚未查询，或没有得到回答',
  },
  pairHeading: ['用户', '另一个用户', '合并'],
  mergeAdvice: ({ outcome, status, other_status, union_scopes }) => {
    if (outcome === 'barred') return '先解除封禁';
    if (status === 'disabled' || other_status === 'disabled') return '其中一个被停用时不能合并';
    return union_scopes.length > 0 ? `需要 force：在 ${union_scopes.join('、')} 中有两个 unionid` : '可以';
  },
  merge: `请通过管理 API 逐对合并，这样会运行你的应用的 onMerge：POST …/admin/users/<用户>/merge {"other":"<另一个用户>"}，
注明需要时加上 "force": true。然后再运行一次。`,
  runAgain: '还有未完成的人，请再运行一次。',
  wechatMessage: '微信的说法',
  stopped: '已完成的不会丢失：可以按 Ctrl-C，下次运行会接着做。',
  pauses: {
    day_quota: (seconds) => `今天的微信调用额度已用完。等待 ${hours(seconds)} 小时，到北京时间 00:00。`,
    minute_quota: (seconds) => `这一分钟调用太多。等待 ${seconds} 秒。`,
    unavailable: (seconds) => `微信没有回答。等待 ${seconds} 秒。`,
  },
};

/** Texts by language. */
export const migrationTexts = { en, zh } as const;

function hours(seconds: number): string {
  return (seconds / 3_600).toFixed(1);
}
