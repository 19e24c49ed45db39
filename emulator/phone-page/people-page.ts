import { html, trusted, type Markup } from '../pages/html.js';
import { initial } from '../pages/initial.js';
import type { Speak } from '../pages/language.js';
import type { Person } from '../person.js';
import { phoneStyle } from './phone-style.js';

const script = `
document.getElementById('new').addEventListener('submit', function (event) {
  event.preventDefault();
  var nickname = document.getElementById('nickname').value;
  fetch('/_emulator/people', { method: 'POST', body: JSON.stringify({ nickname: nickname }) })
    .then(function (response) { return response.json(); })
    .then(function (person) { location.href = '/phone?person=' + encodeURIComponent(person.id) + location.search.replace('?', '&'); });
});
`;

/** Where one chooses whose phone to hold, or adds somebody. */
export function peoplePage(speak: Speak, people: readonly Person[]): Markup {
  const rows = people.map(
    ({ id, nickname }) =>
      html`<li>
        <a class="row" href="/phone?person=${encodeURIComponent(id)}" data-testid="person"
          ><span class="face" aria-hidden="true">${initial(nickname)}</span
          ><span class="words"><b>${nickname}</b><span>${id}</span></span></a
        >
      </li>`,
  );
  return html`<!doctype html>
    <html lang="${speak('zh-CN', 'en')}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <title>${speak('微信模拟器', 'WeChat emulator')}</title>
        <style>
          ${trusted(phoneStyle)}
        </style>
      </head>
      <body>
        <main class="people">
          <h1>${speak('拿起谁的手机？', 'Whose phone?')}</h1>
          <p>${speak('微信模拟器：这里的人都不是真的', 'The WeChat emulator: nobody here is real')}</p>
          <ul class="list">
            ${rows}
          </ul>
          <form class="ask" id="new">
            <input
              id="nickname"
              data-testid="nickname"
              required
              maxlength="64"
              aria-label="${speak('昵称', 'Nickname')}"
              placeholder="${speak('新来的人叫什么？', 'Name of somebody new')}"
            />
            <button class="go">${speak('添加', 'Add')}</button>
          </form>
        </main>
        <script>
          ${trusted(script)};
        </script>
      </body>
    </html>`;
}
