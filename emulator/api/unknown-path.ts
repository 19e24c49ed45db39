import type { Route } from '../http/router.js';
import type { ApiAnswers } from './api-answers.js';

/** The API hosts answer any other path with an error body and HTTP 200. */
export function unknownPathRoutes(answers: ApiAnswers): readonly Route[] {
  return ['/sns/*', '/cgi-bin/*', '/wxa/*'].map((path) => ({
    method: '*',
    path,
    respond: (incoming) => answers.errorAt(incoming.path, 40066),
  }));
}
