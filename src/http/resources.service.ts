import { Inject, Injectable } from '@nestjs/common';
import {
  IAM_OPTIONS,
  type ResolvedIamOptions,
  type ResolvedIamResource,
} from '../config/iam.resolved-options.js';

/** The well-known path of RFC 9728 §3. */
export const RESOURCE_METADATA = '/.well-known/oauth-protected-resource';

/** The APIs of the option `resources`. */
@Injectable()
export class Resources {
  /** Those of this application, the longest path first. */
  readonly own: readonly ResolvedIamResource[];

  constructor(@Inject(IAM_OPTIONS) options: ResolvedIamOptions) {
    this.own = [...options.resources.values()]
      .filter(({ identifier }) => new URL(identifier).origin === options.publicUrl)
      .sort((one, other) => other.identifier.length - one.identifier.length);
  }
}

/** Empty for an address without path. */
export function pathOf({ identifier }: ResolvedIamResource): string {
  return new URL(identifier).pathname.replace(/\/+$/, '');
}
