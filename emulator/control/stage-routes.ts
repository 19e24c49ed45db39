import type { Route } from '../http/router.js';
import { controlRoute } from './control-route.js';
import { schemas } from './schemas.js';
import type { Controls } from './controls.js';
import { overview, qrCodeViews } from './views.js';

/** The stage as a whole: what is on it, faults, calls, clock, rules, starting over. */
export function stageRoutes(hand: Controls): readonly Route[] {
  const { nothing } = schemas;
  return [
    controlRoute('GET', '', nothing, () => overview(hand)),
    controlRoute('GET', '/', nothing, () => overview(hand)),
    controlRoute('GET', '/qr-codes', nothing, () => ({ qrCodes: qrCodeViews(hand.platform) })),
    controlRoute('POST', '/faults', schemas.fault, ({ input: { path, fault, always = false } }) => {
      if (always) hand.faults.always(path, fault);
      else hand.faults.once(path, fault);
    }),
    controlRoute('DELETE', '/faults', nothing, () => hand.faults.clear()),
    controlRoute('GET', '/calls', nothing, ({ query }) => ({
      calls: hand.calls.to(query.get('path') ?? undefined),
    })),
    controlRoute('DELETE', '/calls', nothing, () => hand.calls.clear()),
    controlRoute('GET', '/clock', nothing, () => now(hand)),
    controlRoute('POST', '/clock', schemas.clock, ({ input }) => {
      if ('advance' in input) hand.clock.advance(input.advance);
      else hand.clock.set(new Date(input.set));
      return now(hand);
    }),
    controlRoute('GET', '/rules', nothing, () => hand.rules),
    controlRoute('POST', '/rules', schemas.rules, ({ input }) => Object.assign(hand.rules, input)),
    controlRoute('POST', '/reset', nothing, () => hand.reset()),
  ];
}

function now({ clock }: Controls): object {
  return { now: new Date(clock.now()).toISOString() };
}
