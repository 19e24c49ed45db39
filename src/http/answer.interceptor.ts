import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import { isAnswer } from './answer.js';
import { AnswerWriter } from './answer-writer.js';

/** Lets a controller return an `Answer` on either platform. */
@Injectable()
export class AnswerInterceptor implements NestInterceptor {
  constructor(private readonly writer: AnswerWriter) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      map((value: unknown) => {
        if (!isAnswer(value)) return value;
        this.writer.writeHead(context.switchToHttp().getResponse(), value);
        return value.body ?? undefined;
      }),
    );
  }
}
