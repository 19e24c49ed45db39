import type { IncomingMessage } from 'node:http';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { runInContext } from '../request-context.js';
import { attachInFront, findAdapter, type HttpAdapter } from './attach-in-front.js';
import { Cors } from './cors.service.js';
import { EarlyBody } from './early-body.service.js';
import type { Exchange } from './exchange.js';
import { readPath } from './iam-request.js';
import { incomingCorrelationId } from './incoming-correlation.js';
import { IamUrls } from './iam-urls.service.js';

/**
 * What every request passes first: it gets its context, and on our endpoints CORS and the body are ours before the host's
 * own middleware. Providers are made while the application is created, before the host can add any and before Nest adds
 * its parsers; in a testing module the adapter comes later.
 */
@Injectable()
export class FrontDoor implements OnModuleInit {
  private isOpen = false;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly urls: IamUrls,
    private readonly cors: Cors,
    private readonly bodies: EarlyBody,
  ) {
    this.open(findAdapter(adapterHost));
    // Nest before 11.1 does not announce the adapter that a testing module gets later.
    const { init$ } = adapterHost as { init$?: HttpAdapterHost['init$'] };
    init$?.subscribe(() => this.open(findAdapter(adapterHost)));
  }

  onModuleInit(): void {
    this.open(findAdapter(this.adapterHost));
  }

  private open(adapter: HttpAdapter | null): void {
    if (adapter === null || this.isOpen) return;
    this.isOpen = true;
    attachInFront(adapter, (exchange) => {
      const { request, origin } = exchange;
      const correlationId = incomingCorrelationId(request.headers);
      runInContext(() => this.receive(exchange), { correlationId, origin });
    });
  }

  private receive(exchange: Exchange): void {
    const endpoint = this.urls.findEndpoint(pathOf(exchange.request));
    if (endpoint === null) exchange.next();
    else if (!this.cors.answer(endpoint, exchange)) this.bodies.receive(endpoint, exchange);
  }
}

/** A path as the routers see it: Fastify decodes it before it chooses a route. */
function pathOf(request: IncomingMessage): string {
  const path = readPath(request);
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}
