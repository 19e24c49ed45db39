import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';

/** The host's own provider of a class that an option names, or an instance of it made by DI. */
export async function findOrCreate<T>(moduleRef: ModuleRef, type: Type<T>): Promise<T> {
  return findProvider(moduleRef, type) ?? (await moduleRef.create(type));
}

/** Nest throws where no module of the host provides the class. */
function findProvider<T>(moduleRef: ModuleRef, type: Type<T>): T | null {
  try {
    return moduleRef.get(type, { strict: false });
  } catch {
    return null;
  }
}
