import type { IncomingHttpHeaders } from 'node:http';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { runInContext } from '../runtime/request-context.js';
import { ClientRegistry } from './client-registry.service.js';
import { Cors } from './trusted-origins.service.js';
import { EndpointResponses } from './endpoint-responses.service.js';
import { ErrorResponder } from './iam-error.filter.js';
import { claim, type Exchange, isIamRequest, markAsOwn } from './raw-http.js';
import { keepBody, readBody } from './request-body.js';
import { isClientError } from './to-iam-error.js';
import { findAdapter, openHostRouter, type Front, type HttpAdapter } from './host-router.js';
import { readRequest, readTarget } from './iam-request.js';
import { canonicalPath, IamRoutes, type IamRoute } from './iam-routes.service.js';

const methodsWithBody: ReadonlySet<string | undefined> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** How long the rest of a refused body is read and dropped: clients read the response only when they have sent it all. */
const DROP_MS = 1_000;

/**
 * The first middleware of every request. It opens the request's context; on our endpoints it does CORS, reads the body and,
 * unless the option `hostMiddleware` says otherwise, responds before the host's own middleware. Providers are made while the
 * application is created, before the host adds middleware and Nest its parsers; in a testing module the adapter comes later.
 */
@Injectable()
export class IamMiddleware implements OnModuleInit {
  private takeRoutes: (() => void) | null = null;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly adapterHost: HttpAdapterHost,
    private readonly routes: IamRoutes,
    private readonly cors: Cors,
    private readonly responses: EndpointResponses,
    private readonly responder: ErrorResponder,
    private readonly clients: ClientRegistry,
  ) {
    this.open(findAdapter(adapterHost));
    // Nest before 11.1 does not announce the adapter that a testing module gets later.
    const { init$ } = adapterHost as { init$?: HttpAdapterHost['init$'] };
    init$?.subscribe(() => this.open(findAdapter(adapterHost)));
  }

  /** Now the routes are there. */
  onModuleInit(): void {
    const adapter = findAdapter(this.adapterHost);
    this.open(adapter);
    this.takeRoutes?.();
    if (adapter?.getType() === 'express') this.respondBeforeRoutes(adapter);
  }

  private open(adapter: HttpAdapter | null): void {
    if (adapter === null || this.takeRoutes !== null) return;
    const receive: Front['receive'] = (exchange) => {
      const { request, origin } = exchange;
      const correlationId = incomingCorrelationId(request.headers);
      runInContext(
        () => {
          const reading = this.clients.freshen();
          if (reading === null) this.receive(exchange);
          else void reading.then(() => this.receive(exchange));
        },
        { correlationId, origin },
      );
    };
    const replace: Front['replace'] = (method, pattern, handler) => {
      const route = this.routes.find(method, pattern);
      if (route === undefined) return null;
      return async (request, response, next) => {
        await handler(request, response, next);
        await this.responses.giveUnlessClaimed(route, request, response);
      };
    };
    const skipsMiddleware = this.options.hostMiddleware === 'skip';
    this.takeRoutes = openHostRouter(adapter, { receive, replace, skipsMiddleware });
  }

  private receive(exchange: Exchange): void {
    const { request, next } = exchange;
    const routes = isIamRequest(request) ? [] : this.routes.at(readTarget(request).path);
    const [first] = routes;
    const route = routes.find(({ method }) => servesMethod(method, request.method));
    if (first !== undefined && request.method === 'OPTIONS') this.respondToOptions(routes, first, exchange);
    else if (route === undefined) next();
    else this.admit(route, exchange);
  }

  private admit(route: IamRoute, exchange: Exchange): void {
    markAsOwn(exchange.request);
    spellAs(route, exchange);
    this.cors.apply(route.endpoint, exchange);
    if (methodsWithBody.has(exchange.request.method)) void this.readBody(exchange);
    else exchange.next();
  }

  /**
   * Before any parser of the host: WeChat's signature covers bytes that a parser does not keep, and a parser refuses a body in its
   * own words.
   */
  private async readBody({ request, response, next }: Exchange): Promise<void> {
    try {
      keepBody(request, await readBody(request));
    } catch (error) {
      // Without the host's parsers and filters: neither may meet what is left of the request.
      this.responder.respond(error, request, response);
      request.resume();
      setTimeout(() => {
        if (!request.complete) request.destroy();
      }, DROP_MS).unref();
      return;
    }
    response.once('close', () => request.resume());
    next();
  }

  /**
   * On Express the host's body parsers and the router's decoding of paths come before our filters. On our paths their errors
   * get a response here; every other error goes on to the host's filters. Nest's own error handler is not there yet.
   */
  private respondBeforeRoutes(adapter: HttpAdapter): void {
    // Express recognizes an error handler by its four parameters.
    adapter.use((error: unknown, request: unknown, response: unknown, next: (error: unknown) => void) => {
      const isOurs = isClientError(error) && this.routes.at(readRequest(request).path).length > 0;
      if (!isOurs) next(error);
      else if (claim(request, response)) this.responder.respond(error, request, response);
    });
  }

  /** A preflight, or any other OPTIONS (RFC 9110 §9.3.7). */
  private respondToOptions(routes: readonly IamRoute[], { endpoint }: IamRoute, exchange: Exchange): void {
    this.cors.apply(endpoint, exchange);
    const methods = routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    const allow = [...new Set([...methods, 'OPTIONS'])].join(', ');
    exchange.response
      .writeHead(204, { Allow: allow, 'Content-Length': '0', 'Cache-Control': 'no-store' })
      .end();
  }
}

function servesMethod(method: string, requested: string | undefined): boolean {
  return method === requested || (method === 'GET' && requested === 'HEAD');
}

/** Express, Fastify and the options of a host differ in case, slashes at the end and encoded letters. */
function spellAs(route: IamRoute, { request }: Exchange): void {
  const { url, path, query } = readTarget(request);
  const spelled = canonicalPath(route, path);
  // Below another Express application the router sees less than the whole address.
  if (spelled !== path && url === request.url) request.url = query === '' ? spelled : `${spelled}?${query}`;
}

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** W3C Trace Context §3.2: version, trace id, parent id, flags. */
const traceparentForm = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/**
 * The caller's id of this request, so that one search finds both sides: `X-Request-Id` where it is a UUID, else the trace id
 * of `traceparent` in the form of one. Undefined for anything else, which would end up in the log.
 */
function incomingCorrelationId(headers: IncomingHttpHeaders): string | undefined {
  const { 'x-request-id': requestId, traceparent } = headers;
  if (typeof requestId === 'string' && uuidForm.test(requestId)) return requestId.toLowerCase();
  const [, trace] = typeof traceparent === 'string' ? (traceparentForm.exec(traceparent) ?? []) : [];
  return trace?.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
