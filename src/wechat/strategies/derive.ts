/**
 * A fresh object that inherits everything from another. Passport runs each request on such an object, so that what one
 * request keeps is never seen by another.
 */
export function derive<T extends object>(prototype: T): T {
  const derived: unknown = Object.create(prototype);
  if (!inheritsFrom(derived, prototype)) throw new TypeError('expected an object to derive from');
  return derived;
}

function inheritsFrom<T extends object>(value: unknown, prototype: T): value is T {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === prototype;
}
