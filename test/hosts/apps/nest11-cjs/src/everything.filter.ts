import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';

/** The host answers every failure in a form of its own. */
@Catch()
export class EverythingFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const status = thrown instanceof HttpException ? thrown.getStatus() : 500;
    host.switchToHttp().getResponse<Response>().status(status).json({ hostSays: status });
  }
}
