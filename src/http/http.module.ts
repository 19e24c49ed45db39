import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ClientRegistry } from './client-registry.service.js';
import { EndpointResponses } from './endpoint-responses.service.js';
import { HostThrottlers } from './host-throttlers.service.js';
import { ErrorResponder, EndpointFilter, IamErrorFilter } from './iam-error.filter.js';
import { IamRoutes } from './iam-routes.service.js';
import { IamUrls } from './iam-urls.service.js';
import { IamMiddleware } from './iam.middleware.js';
import { OutgoingCalls } from './outgoing-calls.service.js';
import { Resources } from './resources.service.js';
import { RootDocuments } from './root-documents.service.js';
import { Cors, TrustedOrigins } from './trusted-origins.service.js';

/** Requests and responses of our endpoints, the same on Express and Fastify. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [
    ClientRegistry,
    ErrorResponder,
    EndpointFilter,
    EndpointResponses,
    IamRoutes,
    IamErrorFilter,
    IamUrls,
    Cors,
    IamMiddleware,
    HostThrottlers,
    OutgoingCalls,
    Resources,
    RootDocuments,
    TrustedOrigins,
  ],
  exports: [
    ClientRegistry,
    ErrorResponder,
    EndpointResponses,
    IamErrorFilter,
    IamUrls,
    OutgoingCalls,
    Resources,
    RootDocuments,
    Cors,
    TrustedOrigins,
  ],
})
export class HttpModule {}

/** Stands below the option `path`, with the controllers and services of a part of this package that hosts import by itself. */
@Module({})
export class MountedModule {}
