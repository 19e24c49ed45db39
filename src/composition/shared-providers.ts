import { AppHealth, WechatGateway } from '../wechat/wechat-gateway.service.js';
import { WechatApi } from '../identity-providers/wechat-api.service.js';
import { FirstSteps } from '../health/first-steps.service.js';
import { Gauges } from '../health/gauges.service.js';
import { IamHealth } from '../health/iam-health.service.js';
import { SchemaWatch } from '../health/schema-watch.service.js';
import { Authentication } from '../sessions/authentication.service.js';
import { Cors, TrustedOrigins } from '../http/trusted-origins.service.js';
import { BodyReader } from '../http/body-reader.service.js';
import { PreRouteErrors, EndpointFilter, ErrorResponder, IamErrorFilter } from '../http/iam-error.filter.js';
import { EndpointResponses } from '../http/endpoint-responses.service.js';
import { IamMiddleware } from '../http/iam.middleware.js';
import { HostThrottlers } from '../http/host-throttlers.service.js';
import { IamRoutes } from '../http/iam-routes.service.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { IamGuard } from '../sessions/iam.guard.js';
import { Requirements } from '../sessions/access-policy.service.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { AppCodes } from '../sign-in/app-codes.service.js';
import { CodeExchange } from '../sign-in/code-exchange.service.js';

/** What the edges share. */
export const sharedProviders = [
  Authentication,
  Requirements,
  ErrorResponder,
  EndpointFilter,
  EndpointResponses,
  IamRoutes,
  IamErrorFilter,
  PreRouteErrors,
  IamUrls,
  IamGuard,
  Cors,
  IamMiddleware,
  HostThrottlers,
  SessionCookies,
  TrustedOrigins,
  BodyReader,
  AppHealth,
  Gauges,
  IamHealth,
  FirstSteps,
  SchemaWatch,
  WechatApi,
  WechatGateway,
  CodeExchange,
  AppCodes,
];
