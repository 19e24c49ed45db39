import { errorCatalogue, type IamErrorCode } from '../iam.error.js';
import { errorTexts } from '../iam.error-texts.js';
import type { Answer } from './answer.js';
import { page } from './html.js';
import type { Language } from './language.js';

const style = `
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f4f5f7; color: #1f2329;
  font: 16px/1.6 system-ui, -apple-system, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { max-width: 26rem; margin: 1rem; padding: 2rem; border-radius: 12px; background: #fff; box-shadow: 0 4px 24px rgb(0 0 0 / 8%); }
h1 { margin: 0 0 .5rem; font-size: 1.25rem; }
p { margin: 0 0 1rem; }
small { color: #6b7280; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e6e8eb; }
  main { background: #22252b; }
  small { color: #9aa2ad; }
}`;

const headings = { zh: '无法登录', en: 'Sign-in did not work' } as const;
const reference = { zh: '参考编号', en: 'Reference' } as const;

/** The small page for a navigation that has nowhere to return to. */
export function errorPage(code: IamErrorCode, language: Language, correlationId: string): Answer {
  return page({
    status: errorCatalogue[code].status,
    language,
    title: headings[language],
    style,
    body: `<main>
<h1>${headings[language]}</h1>
<p>${errorTexts[code][language]}</p>
<small>${reference[language]} ${code} · ${correlationId}</small>
</main>`,
  });
}
