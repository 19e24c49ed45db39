import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { Response } from 'express';
import { IamError } from 'nestjs-wechat-iam';

/** Answers what `IamUsers` throws on a route of the shop, with the status and the code of the module's catalogue. */
@Catch(IamError)
export class IamErrorFilter implements ExceptionFilter<IamError> {
  private readonly logger = new Logger(IamErrorFilter.name);

  catch(error: IamError, host: ArgumentsHost): void {
    if (error.status >= 500) this.logger.error(error);
    host.switchToHttp().getResponse<Response>().status(error.status).json({ error: error.code });
  }
}
