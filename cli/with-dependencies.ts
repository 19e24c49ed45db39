import 'reflect-metadata';
import type { Provider, Type } from '@nestjs/common';

/** Nest's marks on a class and on its constructor. */
const INJECTABLE = '__injectable__';
const [TYPES, TOKENS] = ['design:paramtypes', 'self:paramtypes'] as const;

/**
 * The providers with every service of the module that they are made of, so that a command names what it uses and nothing
 * else exists. One that would start work of its own with the application must be replaced.
 */
export function withDependencies(providers: readonly Provider[]): Provider[] {
  const known = new Map<unknown, Provider>(providers.map((each) => [tokenOf(each), each]));
  for (const provider of known.values()) {
    const type = classOf(provider);
    for (const needed of type === null ? [] : dependenciesOf(type)) {
      if (!known.has(needed)) known.set(needed, quietly(needed));
    }
  }
  return [...known.values()];
}

function quietly(type: Type): Type {
  const prototype: unknown = type.prototype;
  if (typeof prototype === 'object' && prototype !== null && 'onApplicationBootstrap' in prototype)
    throw new TypeError(`${type.name} starts work of its own: a command must replace it`);
  return type;
}

/** Ours among them: Nest has its own, and what has a token is given. */
function dependenciesOf(type: Type): Type[] {
  const types: unknown = Reflect.getMetadata(TYPES, type);
  const given: unknown = Reflect.getMetadata(TOKENS, type);
  const withToken = new Set(Array.isArray(given) ? given.map(indexOf) : []);
  const parameters: unknown[] = Array.isArray(types) ? types : [];
  return parameters.filter((_, index) => !withToken.has(index)).filter(isInjectable);
}

function indexOf(parameter: unknown): unknown {
  return typeof parameter === 'object' && parameter !== null && 'index' in parameter
    ? parameter.index
    : undefined;
}

function isInjectable(type: unknown): type is Type {
  return typeof type === 'function' && Reflect.hasMetadata(INJECTABLE, type);
}

function classOf(provider: Provider): Type | null {
  const type = 'useClass' in provider ? provider.useClass : provider;
  return isInjectable(type) ? type : null;
}

function tokenOf(provider: Provider): unknown {
  return 'provide' in provider ? provider.provide : provider;
}
