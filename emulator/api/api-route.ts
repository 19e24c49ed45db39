import { form, type Incoming } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiAnswers, ApiStyle } from './api-answers.js';
import { ApiError } from './api-error.js';

/** A call to an API: what it says, wherever WeChat lets it stand. */
export interface ApiCall {
  /** A parameter from the query or, for a POST with a form body, from there; empty when absent. */
  readonly param: (name: string) => string;
  readonly incoming: Incoming;
}

/** An API as a function: what it returns is the body, what it throws as `ApiError` is the error. */
type ApiFunction = (call: ApiCall) => object;

/** Turns an API into a route. WeChat tolerates GET and POST alike unless the function itself objects. */
export function apiRoute(answers: ApiAnswers, style: ApiStyle, path: string, run: ApiFunction): Route {
  return {
    method: '*',
    path,
    respond: (incoming) => {
      const posted = form(incoming);
      const param = (name: string): string => incoming.query.get(name) ?? posted.get(name) ?? '';
      try {
        return answers.ok(style, run({ param, incoming }));
      } catch (error) {
        if (error instanceof ApiError) return answers.error(style, error.errcode, error.message);
        throw error;
      }
    },
  };
}
