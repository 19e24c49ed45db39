import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { correlationId } from '../request-context.js';
import type { Answer } from './answer.js';

/** Writes status, headers and cookies through Nest's adapter, so that Express and Fastify hosts answer alike. */
@Injectable()
export class AnswerWriter {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  /** Everything but the body. */
  writeHead(response: unknown, answer: Answer): void {
    const { httpAdapter } = this.adapterHost;
    httpAdapter.status(response, answer.status);
    httpAdapter.setHeader(response, 'X-Request-Id', correlationId());
    for (const [name, value] of Object.entries(answer.headers)) httpAdapter.setHeader(response, name, value);
    for (const cookie of answer.cookies) httpAdapter.appendHeader(response, 'Set-Cookie', cookie);
  }

  /** The whole answer, where no interceptor runs (exception filters). */
  write(response: unknown, answer: Answer): void {
    this.writeHead(response, answer);
    this.adapterHost.httpAdapter.reply(response, answer.body ?? '', answer.status);
  }

  /** True once the status line is out; nothing can be answered then. */
  isSent(response: unknown): boolean {
    return this.adapterHost.httpAdapter.isHeadersSent(response) === true;
  }
}
