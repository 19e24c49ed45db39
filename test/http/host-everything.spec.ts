import { iamControllers, endpointsOf } from '../../src/http/endpoint.decorator.js';
import type { CrowdedHost } from '../support/crowded-host.js';
import { startFullHost, type FullHost } from '../support/full-host.js';
import { accountFlows } from '../support/full-host-accounts.js';
import { adminFlows } from '../support/full-host-administration.js';
import { signInFlows } from '../support/full-host-sign-ins.js';
import { SeenResponses } from '../support/seen-answers.js';

/** Every endpoint that there is, so that a new one is missed by itself. */
const endpoints = iamControllers
  .flatMap((controller) => endpointsOf(controller))
  .map(({ method, path }) => ({
    name: `${method} ${path}`,
    method,
    pattern: new RegExp(`^/iam/${path.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`),
  }));

describe.each<CrowdedHost>(['Express', 'Fastify'])(
  'in a host on %s with caches, envelopes, a time limit, CSRF checks, throttlers, helmet and compression',
  (crowded) => {
    const seen = new SeenResponses();
    let host: FullHost;

    beforeAll(async () => {
      host = await startFullHost(crowded);
    });
    afterAll(async () => {
      seen.stop();
      await host.close();
    });
    const ours = () =>
      seen.list.filter(({ url }) => url.origin === host.url && url.pathname.startsWith('/iam/'));

    it.each(signInFlows)('people %s', (_flow, play) => play(host));
    it.each(accountFlows)('signed-in people %s', (_flow, play) => play(host));
    it.each(adminFlows)('administrators %s', (_flow, play) => play(host));

    it('every endpoint has answered with success, so that no flow was left out', () => {
      const answered = ours().filter(({ status }) => status < 400);
      const missed = endpoints.filter(
        ({ method, pattern }) =>
          !answered.some((answer) => answer.method === method && pattern.test(answer.url.pathname)),
      );

      expect(missed.map(({ name }) => name)).toEqual([]);
    });

    it('every answer has our own headers, and none of the host’s', () => {
      const odd = ours().filter(
        ({ headers }) =>
          !(headers.get('cache-control') ?? '').startsWith('no-store') ||
          headers.get('x-content-type-options') !== 'nosniff' ||
          !/^(no-referrer|same-origin)$/.test(headers.get('referrer-policy') ?? '') ||
          headers.get('etag') === '"of-the-host"' ||
          ['x-host', 'x-dns-prefetch-control', 'content-encoding', 'x-ratelimit-limit'].some((name) =>
            headers.has(name),
          ),
      );

      expect(ours().length).toBeGreaterThan(endpoints.length);
      expect(odd.map(({ method, url, headers }) => [method, url.pathname, ...headers])).toEqual([]);
    });
  },
);
