import type { Route } from '../http/router.js';
import type { Platform } from '../platform.js';
import { accountMigrationRoutes } from './account-migration-api.js';
import type { ApiAnswers } from './api-answers.js';
import { customMessageRoutes } from './custom-message-api.js';
import { materialRoutes } from './material-api.js';
import { miniProgramCodeRoutes } from './mini-program-code-api.js';
import { miniProgramRoutes } from './mini-program-api.js';
import { operatorRoutes } from './operator-api.js';
import { platformRoutes } from './platform-api.js';
import { qrcodeRoutes } from './qrcode-api.js';
import { snsRoutes } from './sns-api.js';
import { templateMessageRoutes } from './template-message-api.js';
import { tokenRoutes } from './token-api.js';
import { unknownPathRoutes } from './unknown-path.js';
import { userRoutes } from './user-api.js';

/** Everything on `api.weixin.qq.com` and the picture on `mp.weixin.qq.com`. */
export function apiRoutes({ world, pushes }: Platform, answers: ApiAnswers): readonly Route[] {
  return [
    ...snsRoutes(world, answers),
    ...miniProgramRoutes(world, answers),
    ...tokenRoutes(world, answers),
    ...userRoutes(world, answers),
    ...accountMigrationRoutes(world, answers),
    ...qrcodeRoutes(world, answers),
    ...customMessageRoutes(world, answers),
    ...templateMessageRoutes(world, answers, pushes),
    ...operatorRoutes(world, answers),
    ...materialRoutes(world, answers),
    ...miniProgramCodeRoutes(world, answers),
    ...platformRoutes(world, answers),
    ...unknownPathRoutes(answers),
  ];
}
