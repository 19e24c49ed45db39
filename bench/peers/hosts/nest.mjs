import 'reflect-metadata';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** A controller as TypeScript's decorators would make it: `routes` gives each method its decorators. */
export function controller(type, routes) {
  for (const [name, decorators] of Object.entries(routes)) {
    const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name);
    for (const decorate of decorators) decorate(type.prototype, name, descriptor);
  }
  Controller()(type);
  return type;
}

/** One route behind the guard and one in front of it. */
export function routesWith(guard) {
  class RoutesController {
    open() {
      return { id: null };
    }

    guarded() {
      return { id: 'somebody' };
    }
  }
  return controller(RoutesController, { open: [Get('open')], guarded: [Get('guarded'), UseGuards(guard)] });
}

/** Starts a Nest application on a free port; `prepare` adds what has to stand in front of its routes. */
export async function serveNest(metadata, { prepare = () => undefined, ...options } = {}) {
  class AppModule {}
  Module(metadata)(AppModule);
  const app = await NestFactory.create(AppModule, { logger: ['error', 'fatal'], ...options });
  prepare(app);
  await app.listen(0, '127.0.0.1');
  return { port: app.getHttpServer().address().port, close: () => app.close() };
}
