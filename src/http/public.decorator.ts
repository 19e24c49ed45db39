import { SetMetadata } from '@nestjs/common';

/** Metadata key of `@Public()`. */
export const IS_PUBLIC = 'nestjs-wechat-iam:public';

/** Opens a route, or every route of a controller, under the global guard. */
export const Public = () => SetMetadata(IS_PUBLIC, true);
