import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { readRequest, type IamRequest } from './iam-request.js';

/** The request as an `IamRequest`. */
export const Incoming = createParamDecorator((_options: unknown, context: ExecutionContext): IamRequest =>
  readRequest(context.switchToHttp().getRequest()),
);
