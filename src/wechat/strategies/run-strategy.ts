/** The decision of a strategy; an `error` rejects instead. */
export type StrategyOutcome =
  | { readonly kind: 'redirect'; readonly url: string; readonly status: number }
  | { readonly kind: 'success'; readonly user: unknown; readonly info: unknown }
  | { readonly kind: 'fail'; readonly challenge: unknown; readonly status: number | undefined }
  | { readonly kind: 'pass' };

/** Any Passport strategy. */
export interface RunnableStrategy {
  authenticate(request: object, options?: object): unknown;
}

/**
 * Runs a Passport strategy without Passport's middleware, so on Express and Fastify alike, in the way Passport documents:
 * on an object derived from the strategy that is given the five actions.
 */
export function runStrategy(
  strategy: RunnableStrategy,
  request: object,
  options: object = {},
): Promise<StrategyOutcome> {
  return new Promise((resolve, reject) => {
    const run = Object.assign(derive(strategy), {
      success: (user: unknown, info?: unknown) => resolve({ kind: 'success', user, info }),
      fail: (challenge?: unknown, status?: number) => resolve(failure(challenge, status)),
      redirect: (url: string, status = 302) => resolve({ kind: 'redirect', url, status }),
      pass: () => resolve({ kind: 'pass' }),
      error: reject,
    });
    Promise.resolve(run.authenticate(request, options)).catch(reject);
  });
}

/** A strategy may give a status without a challenge. */
function failure(challenge: unknown, status: number | undefined): StrategyOutcome {
  if (typeof challenge === 'number') return { kind: 'fail', challenge: undefined, status: challenge };
  return { kind: 'fail', challenge, status };
}

/**
 * A fresh object that inherits everything from another. Passport runs each request on such an object, so that no
 * request sees the state of another.
 */
export function derive<T extends object>(prototype: T): T {
  const derived: unknown = Object.create(prototype);
  if (!inheritsFrom(derived, prototype)) throw new TypeError('expected an object to derive from');
  return derived;
}

function inheritsFrom<T extends object>(value: unknown, prototype: T): value is T {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === prototype;
}
