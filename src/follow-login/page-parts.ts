/** Longer names are cut; WeChat's own limit is 32 too. */
const MAX_LENGTH = 32;

/**
 * A nickname as our own sentences may quote it, or null when nothing of it is left. Its owner chose it and somebody else
 * reads it: it must not leave its quotes, turn the line round, or become a link in a chat.
 */
export function quotableName(nickname: string | null): string | null {
  const plain = (nickname ?? '').replaceAll(/[\p{C}\p{Zl}\p{Zp}<>「」『』“”"]/gu, '');
  const name = Array.from(plain).slice(0, MAX_LENGTH).join('').trim();
  return name === '' ? null : name;
}

/** The style of our own pages about a scan, on PC and phone; system fonts, light and dark. */
export const followPageStyle = `
:root { color-scheme: light dark; --ink: #1f2329; --soft: #646a73; --line: #e3e5e8; --paper: #fff; --ground: #f4f5f7; --green: #07a64f; --red: #c9302c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #9aa2ad; --line: #3a3f47; --paper: #23262c; --ground: #16181c; --green: #2bc473; --red: #f0736e; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { width: min(26rem, 100% - 2rem); margin: 1rem; padding: 2rem; border-radius: 16px; background: var(--paper); box-shadow: 0 8px 32px rgb(0 0 0 / 8%); text-align: center; }
h1 { margin: 0 0 1.25rem; font-size: 1.3rem; }
.site { margin: 0; color: var(--soft); font-size: .9rem; }
.frame { position: relative; width: 264px; height: 264px; margin: 0 auto 1rem; padding: 12px; border: 1px solid var(--line); border-radius: 12px; background: #fff; }
.frame img { display: block; }
#cover { position: absolute; inset: 0; display: grid; place-items: center; border-radius: 12px; background: rgb(255 255 255 / 90%); }
#mark { width: 64px; height: 64px; border-radius: 50%; background: var(--green); color: #fff; font-size: 36px; line-height: 64px; }
[data-state="denied"] #mark, [data-state="failed"] #mark { background: var(--red); }
[data-state="expired"] #mark { background: #8a9099; }
#status { margin: 0; font-weight: 600; }
#number, .number { margin: .5rem 0; font-size: 2.2rem; font-weight: 700; letter-spacing: .35em; text-indent: .35em; font-variant-numeric: tabular-nums; }
.code { margin: .25rem 0 1rem; font-size: 1.8rem; font-weight: 700; letter-spacing: .08em; font-family: ui-monospace, Menlo, Consolas, monospace; }
.account, .ask { margin: -.75rem 0 1.25rem; overflow-wrap: anywhere; }
#hint { margin: .25rem 0 0; color: var(--soft); font-size: .9rem; }
.actions { margin: 1rem 0 0; min-height: 2.75rem; }
button, .button { display: inline-block; min-width: 8rem; padding: .6rem 1.2rem; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); color: var(--ink); font: inherit; text-decoration: none; cursor: pointer; }
button:focus-visible, a:focus-visible, input:focus-visible { outline: 3px solid var(--green); outline-offset: 2px; }
a { color: var(--soft); }
dl { display: grid; grid-template-columns: auto 1fr; gap: .4rem 1rem; margin: 0 0 1.25rem; text-align: left; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.choice { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; }
.choice button { min-width: 0; min-height: 3rem; border-width: 2px; font-weight: 600; }
.choice .button { display: grid; place-items: center; min-width: 0; border-width: 2px; font-weight: 600; }
.yes { border-color: var(--green); color: var(--green); }
.choice .yes { border-color: var(--green); color: var(--green); }
.choice .no { border-color: var(--red); color: var(--red); }
input { width: 100%; margin: 0 0 1rem; padding: .6rem; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); color: var(--ink); font: inherit; font-size: 1.4rem; text-align: center; letter-spacing: .3em; }
[role="alert"] { margin: 0 0 .5rem; color: var(--red); font-weight: 600; }
.warn { color: var(--soft); font-size: .9rem; text-align: left; }`;
