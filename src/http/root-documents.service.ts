import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { findAdapter } from './host-router.js';
import { readRequest } from './iam-request.js';
import { json, writeResponse } from './iam-response.js';
import { Cors } from './trusted-origins.service.js';

/**
 * JSON documents whose path an RFC says: at the root, outside any global prefix, so they are put on the adapter itself. A route of the
 * host for that path comes first and wins, and Fastify takes no second one. There is no adapter in an application without HTTP.
 */
@Injectable()
export class RootDocuments {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly cors: Cors,
  ) {}

  /** To be called when a module starts: the routes of the host are there by then. */
  serve(path: string, read: () => unknown): void {
    const httpAdapter = findAdapter(this.adapterHost);
    if (httpAdapter === null || hasRoute(httpAdapter.getInstance<unknown>(), path)) return;
    // A host with a route of its own there keeps its own CORS, so ours comes with our response.
    httpAdapter.get(path, (request: unknown, response: unknown) =>
      writeResponse(
        response,
        json(read(), 200, { ...this.cors.grant(readRequest(request).requestOrigin), Vary: 'Origin' }),
      ),
    );
  }
}

/** Whether the host's Fastify has a route for the path. Express needs no check: it tries routes in their order. */
function hasRoute(instance: unknown, url: string): boolean {
  return canTell(instance) && instance.hasRoute({ method: 'GET', url });
}

function canTell(
  instance: unknown,
): instance is { hasRoute(route: { method: string; url: string }): boolean } {
  return typeof instance === 'object' && instance !== null && 'hasRoute' in instance;
}
