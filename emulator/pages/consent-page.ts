import type { AppState } from '../world/app-state.js';
import type { PersonState } from '../world/people.js';
import { html, type Markup } from './html.js';
import { initial } from './initial.js';
import type { Speak } from './language.js';
import { layout } from './layout.js';

/** Who asks whom, and where the answer goes. */
export interface ConsentQuestion {
  readonly app: AppState;
  readonly person: PersonState;
  readonly action: string;
  readonly field: string;
}

/** The sheet on which a person allows an app to see nickname and picture. */
export function consentPage(speak: Speak, { app, person, action, field }: ConsentQuestion): Markup {
  const answer = (allow: 'yes' | 'no', label: string): Markup =>
    html`<form method="post" action="${action}">
      <input type="hidden" name="ticket" value="${field}" />
      <button
        name="allow"
        value="${allow}"
        class="${allow === 'yes' ? '' : 'quiet'}"
        data-testid="${allow === 'yes' ? 'allow' : 'refuse'}"
      >
        ${label}
      </button>
    </form>`;
  return layout(
    speak,
    speak('微信登录', 'WeChat login'),
    html`<div class="app" aria-hidden="true">${initial(app.name)}</div>
      <h1>${app.name}</h1>
      <p>${speak('申请使用你的昵称、头像', 'wants to use your nickname and picture')}</p>
      <div class="person">
        <div class="face" aria-hidden="true">${initial(person.nickname)}</div>
        <div><b>${person.nickname}</b><span>${speak('微信个人信息', 'WeChat profile')}</span></div>
      </div>
      ${answer('yes', speak('允许', 'Allow'))} ${answer('no', speak('拒绝', 'Refuse'))}`,
  );
}
