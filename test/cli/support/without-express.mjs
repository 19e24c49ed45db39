import { register } from 'node:module';

/** Module hooks of a host that has no HTTP platform installed. */
const hooks = `export async function resolve(specifier, context, next) {
  if (/^(express|fastify|@nestjs\\/platform-)/.test(specifier)) throw new Error('not installed: ' + specifier);
  return next(specifier, context);
}`;

register(`data:text/javascript,${encodeURIComponent(hooks)}`);
