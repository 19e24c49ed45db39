/** The name under which our spans and metrics appear. */
export const INSTRUMENTATION = 'nestjs-wechat-iam';
