import { Injectable, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';

/** The host's side of dependency injection, seen from `IamModule` and what the host gave it in `imports`. */
@Injectable()
export class HostProviders {
  constructor(private readonly moduleRef: ModuleRef) {}

  /** The host's own provider of a class that an option names, or an instance of it made by DI. */
  async findOrCreate<T>(type: Type<T>): Promise<T> {
    return this.find(type) ?? (await this.moduleRef.create(type));
  }

  /** Nest throws where no module of the host provides the class. */
  private find<T>(type: Type<T>): T | null {
    try {
      return this.moduleRef.get(type, { strict: false });
    } catch {
      return null;
    }
  }
}
