import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type ArgumentMetadata,
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { isRecord } from '../runtime/is-record.js';
import { readRequest } from './iam-request.js';

const answered = new AsyncLocalStorage<object>();

/** Runs the handler of one of our endpoints, with its pipes. */
export function whileAnswering<T>(request: object, handle: () => T): T {
  return answered.run(request, handle);
}

/** A parameter of a handler that is read from the request. On our endpoints no global pipe of the host changes it. */
export function fromRequest(
  read: (request: object) => unknown,
): (...pipes: (Type<PipeTransform> | PipeTransform)[]) => ParameterDecorator {
  const restore: PipeTransform = {
    transform(value: unknown): unknown {
      const request = answered.getStore();
      return request === undefined ? value : read(request);
    },
  };
  const parameter = createParamDecorator((_options: unknown, context: ExecutionContext) =>
    read(context.switchToHttp().getRequest<object>()),
  );
  return (...pipes) => parameter(...pipes, restore);
}

/** The request as an `IamRequest`. */
export const Incoming = fromRequest(readRequest);

/** Gives handlers the path parameters as they came, whatever a global pipe of the host has made of them. */
export const pathAsGiven: PipeTransform = {
  transform(value: unknown, { type, data }: ArgumentMetadata): unknown {
    const request = answered.getStore();
    if (type !== 'param' || !isRecord(request) || !isRecord(request['params'])) return value;
    return data === undefined ? request['params'] : request['params'][data];
  },
};
