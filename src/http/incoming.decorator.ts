import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { assertBodyRead, readRequest, type IamRequest } from './iam-request.js';

/** The request as an `IamRequest`. @throws IamError when its body could not be read */
export const Incoming = createParamDecorator((_options: unknown, context: ExecutionContext): IamRequest => {
  const request: unknown = context.switchToHttp().getRequest();
  assertBodyRead(request);
  return readRequest(request);
});
