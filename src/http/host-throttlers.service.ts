import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { isIamController } from './endpoint.decorator.js';

/** Where `@nestjs/throttler` 5 and 6 keep their options, and the key, before a throttler's name, of what is skipped. */
const THROTTLER_OPTIONS = 'THROTTLER:MODULE_OPTIONS';
const THROTTLER_SKIP = 'THROTTLER:SKIP';

/**
 * Makes `@nestjs/throttler` skip our endpoints, under each name that the host gave a throttler: WeChat sends the pushes of
 * all people from a few addresses, and a push refused with 429 is lost. The module has limits of its own.
 */
@Injectable()
export class HostThrottlers implements OnModuleInit {
  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly discovery: DiscoveryService,
  ) {}

  onModuleInit(): void {
    const names = new Set(this.findOptions().flatMap(throttlerNames));
    for (const { metatype } of this.discovery.getControllers())
      if (isIamController(metatype))
        for (const name of names) Reflect.defineMetadata(`${THROTTLER_SKIP}${name}`, true, metatype);
  }

  private findOptions(): unknown[] {
    try {
      return this.moduleRef.get<unknown, unknown>(THROTTLER_OPTIONS, { strict: false, each: true });
    } catch {
      return [];
    }
  }
}

/** Options are a list of throttlers, or an object with one. */
function throttlerNames(options: unknown): string[] {
  const throttlers: unknown = Array.isArray(options) ? options : Reflect.get(Object(options), 'throttlers');
  return [throttlers].flat().map((throttler: unknown) => {
    const name: unknown = Reflect.get(Object(throttler), 'name');
    return typeof name === 'string' ? name : 'default';
  });
}
