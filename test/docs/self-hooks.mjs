const sources = {
  'nestjs-wechat-iam': '../../src/index.ts',
  'nestjs-wechat-iam/emulator': '../../emulator/index.ts',
  'nestjs-wechat-iam/openapi': '../../src/openapi/describe-iam.ts',
  'nestjs-wechat-iam/pages': '../../pages/server/index.ts',
};

/** A module hook: the package by its own name. */
export async function resolve(specifier, context, next) {
  const source = sources[specifier];
  if (source === undefined) return next(specifier, context);
  return { url: new URL(source, import.meta.url).href, format: 'module', shortCircuit: true };
}
