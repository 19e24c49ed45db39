import { AppHealth } from '../wechat/app-health.service.js';
import { WechatApi } from '../identity-providers/wechat-api.service.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { FirstSteps } from '../health/first-steps.service.js';
import { Gauges } from '../health/gauges.service.js';
import { IamHealth } from '../health/iam-health.service.js';
import { SchemaWatch } from '../health/schema-watch.service.js';
import { Authentication } from '../sessions/authentication.service.js';
import { Cors } from '../http/cors.service.js';
import { EarlyBody } from '../http/early-body.service.js';
import { EarlyErrors } from '../http/early-errors.service.js';
import { EndpointAnswers } from '../http/endpoint-answers.service.js';
import { EndpointFilter } from '../http/endpoint.filter.js';
import { ErrorResponder } from '../http/error-responder.service.js';
import { FrontDoor } from '../http/front-door.service.js';
import { HostThrottlers } from '../http/host-throttlers.service.js';
import { IamErrorFilter } from '../http/iam-error.filter.js';
import { IamRoutes } from '../http/iam-routes.service.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { IamGuard } from '../sessions/iam.guard.js';
import { Requirements } from '../sessions/requirements.service.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';
import { AppCodes } from '../sign-in/app-codes.service.js';
import { CodeExchange } from '../sign-in/code-exchange.service.js';

/** What the edges share. */
export const sharedProviders = [
  Authentication,
  Requirements,
  ErrorResponder,
  EndpointFilter,
  EndpointAnswers,
  IamRoutes,
  IamErrorFilter,
  EarlyErrors,
  IamUrls,
  IamGuard,
  Cors,
  FrontDoor,
  HostThrottlers,
  SessionCookies,
  TrustedOrigins,
  EarlyBody,
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
