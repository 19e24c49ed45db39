import type { DynamicModule, INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';

/** Makes a host's application. */
export type Create = (module: DynamicModule) => Promise<INestApplication>;

/** How the applications of tests are made: silent, and alive after a wrong start. */
export const quietOptions: Pick<NestApplicationOptions, 'logger' | 'abortOnError'> = {
  logger: false,
  abortOnError: false,
};

/** A host on Express. */
export const onExpress: Create = (module) => NestFactory.create(module, quietOptions);

/** A host on Fastify. */
export const onFastify: Create = (module) =>
  NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), quietOptions);

/** For `describe.each`. */
export const platforms: [string, Create][] = [
  ['Express', onExpress],
  ['Fastify', onFastify],
];
