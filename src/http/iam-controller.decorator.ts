import {
  applyDecorators,
  Controller,
  UseFilters,
  UseGuards,
  UseInterceptors,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { AnswerInterceptor } from './answer.interceptor.js';
import { EndpointFilter } from './endpoint.filter.js';
import { IamGuard } from './iam.guard.js';
import { Public } from './public.decorator.js';

/** What every controller of ours has, so that none can forget it; `path` is below the option `path`. */
export const IamController = (path = '/'): ClassDecorator =>
  applyDecorators(
    Controller({ path, version: VERSION_NEUTRAL }),
    UseFilters(EndpointFilter),
    UseInterceptors(AnswerInterceptor),
  );

/** Endpoints for everybody. */
export const PublicController = (path?: string): ClassDecorator =>
  applyDecorators(Public(), IamController(path));

/** Endpoints for signed-in users. */
export const UserController = (path: string): ClassDecorator =>
  applyDecorators(UseGuards(IamGuard), IamController(path));
