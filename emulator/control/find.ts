import { findApp, type AnyApp } from '../apps/find-app.js';
import { OfficialAccount } from '../apps/apps.js';
import type { Person } from '../person.js';
import { ControlError } from './control-error.js';
import type { Controls } from './controls.js';

/** The app named in a request. */
export function getApp({ platform }: Controls, appid: string | undefined): AnyApp {
  const app = findApp(platform, appid ?? '');
  if (!app) throw new ControlError(`no app has the appid ${appid ?? ''}`, 404);
  return app;
}

/** The app named in a request, when only one kind of app makes sense. */
export function getAppOf<Kind extends AnyApp>(
  hand: Controls,
  appid: string,
  kind: abstract new (...args: never[]) => Kind,
): Kind {
  const app = getApp(hand, appid);
  if (!(app instanceof kind)) throw new ControlError(`${appid} is no ${kind.name}`);
  return app;
}

export function getOfficialAccount(hand: Controls, appid: string): OfficialAccount {
  return getAppOf(hand, appid, OfficialAccount);
}

/** The person named in a request's path. */
export function getPerson({ population }: Controls, id: string | undefined): Person {
  const person = population.find(id ?? '');
  if (!person) throw new ControlError(`nobody has the id ${id ?? ''}`, 404);
  return person;
}
