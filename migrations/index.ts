import { CreateIamSchema1764000000000 } from './1764000000000-create-iam-schema.js';

/** Every migration of the `iam` schema, in order, for the host's `migrations` option. */
export const iamMigrations = [CreateIamSchema1764000000000] as const;
