import { MiniProgram, MobileApp } from '../apps/apps.js';
import type { Route } from '../http/router.js';
import type { OpenOptions } from '../phone.js';
import type { z } from 'zod';
import { ControlError } from './control-error.js';
import { controlRoute } from './control-route.js';
import { getApp, getAppOf, getOfficialAccount, getPerson } from './find.js';
import { schemas } from './schemas.js';
import type { Controls } from './controls.js';
import { miniVisitView, personView } from './views.js';

const person = '/people/:id';

/** People: who they are and what apps take from them. */
export function personRoutes(hand: Controls): readonly Route[] {
  return [
    controlRoute('POST', '/people', schemas.newPerson, ({ input }) =>
      personView(hand.platform, hand.population.add(input)),
    ),
    controlRoute('GET', person, schemas.nothing, ({ params }) =>
      personView(hand.platform, getPerson(hand, params['id'])),
    ),
    controlRoute('POST', `${person}/profile`, schemas.profile, ({ input, params }) => {
      const someone = getPerson(hand, params['id']);
      someone.changeProfile(input);
      return personView(hand.platform, someone);
    }),
    controlRoute('POST', `${person}/revoke`, schemas.revoke, ({ input, params }) =>
      getPerson(hand, params['id']).revokeAuthorization(getApp(hand, input.appid), input.revokeInfo),
    ),
    controlRoute('POST', `${person}/close`, schemas.nothing, async ({ params }) => ({
      deliveries: await getPerson(hand, params['id']).closeAccount(),
    })),
    controlRoute('POST', `${person}/lose-profile`, schemas.nothing, async ({ params }) => ({
      deliveries: await getPerson(hand, params['id']).loseProfile(),
    })),
    controlRoute('POST', `${person}/wx-login`, schemas.app, ({ input, params }) => ({
      code: getPerson(hand, params['id']).wxLogin(getAppOf(hand, input.appid, MiniProgram)),
    })),
    controlRoute('POST', `${person}/send-auth`, schemas.app, ({ input, params }) => ({
      errCode: 0,
      code: getPerson(hand, params['id']).sendAuth(getAppOf(hand, input.appid, MobileApp)),
    })),
    controlRoute('POST', `${person}/encrypted-profile`, schemas.app, ({ input, params }) =>
      getPerson(hand, params['id']).encryptedProfile(getAppOf(hand, input.appid, MiniProgram)),
    ),
    controlRoute('POST', `${person}/phone-number`, schemas.app, ({ input, params }) => ({
      code: getPerson(hand, params['id']).phoneNumberCode(getAppOf(hand, input.appid, MiniProgram)),
    })),
  ];
}

/** Phones: scanning, opening, answering, chatting. */
export function phoneRoutes(hand: Controls): readonly Route[] {
  const { navigation } = schemas;
  return [
    controlRoute('POST', `${person}/scan`, navigation.and(schemas.scan), ({ input, params }) => {
      const follow = input.follow === undefined ? {} : { follow: input.follow };
      return getPerson(hand, params['id']).scan(input.content, { ...options(hand, input), ...follow });
    }),
    controlRoute('POST', `${person}/mini`, schemas.mini, async ({ input, params }) => {
      const someone = getPerson(hand, params['id']);
      const visit =
        'link' in input
          ? await someone.openScheme(input.link)
          : await someone.scanMini(input.code, { inSinglePage: input.inSinglePage === true });
      return miniVisitView(hand.platform, visit);
    }),
    controlRoute('POST', `${person}/mini/answer`, schemas.approval, async ({ input, params }) => {
      const visit = getPerson(hand, params['id']).miniVisit;
      if (visit === undefined) throw new ControlError('no mini program is open');
      const { decision, ...answer } = input;
      await (decision === 'confirm' ? visit.confirm(answer) : visit.deny());
      return miniVisitView(hand.platform, visit);
    }),
    controlRoute('POST', `${person}/mini/close`, schemas.nothing, ({ params }) =>
      getPerson(hand, params['id']).closeMini(),
    ),
    controlRoute('POST', `${person}/open`, navigation.and(schemas.open), ({ input, params }) =>
      getPerson(hand, params['id']).openInWechat(input.url, options(hand, input)),
    ),
    controlRoute('POST', `${person}/post`, navigation.and(schemas.post), ({ input, params }) =>
      getPerson(hand, params['id']).post(input.url, input.form, options(hand, input)),
    ),
    controlRoute('POST', `${person}/confirm`, navigation, ({ input, params }) =>
      getPerson(hand, params['id']).confirm(options(hand, input)),
    ),
    controlRoute('POST', `${person}/deny`, navigation, ({ input, params }) =>
      getPerson(hand, params['id']).deny(options(hand, input)),
    ),
    controlRoute('POST', `${person}/follow`, schemas.app, ({ input, params }) =>
      getPerson(hand, params['id']).follow(getOfficialAccount(hand, input.appid)),
    ),
    controlRoute('POST', `${person}/unfollow`, schemas.app, ({ input, params }) =>
      getPerson(hand, params['id']).unfollow(getOfficialAccount(hand, input.appid)),
    ),
    controlRoute('POST', `${person}/say`, schemas.say, ({ input, params }) =>
      getPerson(hand, params['id']).say(getOfficialAccount(hand, input.appid), input.text),
    ),
    controlRoute('POST', `${person}/menu`, schemas.menu, ({ input, params }) =>
      getPerson(hand, params['id']).tapMenu(getOfficialAccount(hand, input.appid), input.key),
    ),
    controlRoute('GET', `${person}/chats/:appid`, schemas.nothing, ({ params }) => ({
      messages: getPerson(hand, params['id']).chat(getOfficialAccount(hand, params['appid'] ?? '')),
    })),
  ];
}

function options(hand: Controls, input: z.infer<typeof schemas.navigation>): OpenOptions {
  const { client, from, fullService, duplicateCallback } = input;
  return {
    ...(client === undefined ? {} : { client }),
    ...(from === undefined ? {} : { from: getApp(hand, from) }),
    ...(fullService === undefined ? {} : { fullService }),
    ...(duplicateCallback === undefined ? {} : { duplicateCallback }),
  };
}
