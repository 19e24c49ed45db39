import { Inject, Injectable } from '@nestjs/common';
import {
  IAM_OPTIONS,
  type ResolvedIamOptions,
  type ResolvedIamResource,
} from '../config/iam.resolved-options.js';
import { IamError, wrongMember } from '../errors/iam.error.js';

/** The well-known path of RFC 9728 §3. */
export const RESOURCE_METADATA = '/.well-known/oauth-protected-resource';

/** The APIs of the option `resources`. */
@Injectable()
export class Resources {
  /** Those of this application, the longest path first. */
  readonly own: readonly ResolvedIamResource[];

  constructor(@Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions) {
    this.own = [...options.resources.values()]
      .filter(({ identifier }) => new URL(identifier).origin === options.publicUrl)
      .sort((one, other) => other.identifier.length - one.identifier.length);
  }

  /** The one that a request, or an `aud`, names. */
  find(identifier: string): ResolvedIamResource | undefined {
    return URL.canParse(identifier) ? this.options.resources.get(new URL(identifier).href) : undefined;
  }

  /**
   * The one of this application that a path is below. Routers take other spellings of a path for the same route: a path that is below
   * another one in such a spelling is below none.
   */
  at(path: string): ResolvedIamResource | undefined {
    const found = this.own.find((resource) => isBelow(path, pathOf(resource)));
    const routed = this.own.find((resource) => isBelow(spelt(path), spelt(pathOf(resource))));
    const isSame = found && routed && spelt(pathOf(found)) === spelt(pathOf(routed));
    return isSame === true ? found : undefined;
  }

  /** For a challenge at a path: where its metadata is (RFC 9728 §5.1). */
  metadataAt(path: string): string | undefined {
    const resource = this.at(path);
    return resource && `${this.options.publicUrl}${RESOURCE_METADATA}${pathOf(resource)}`;
  }

  /** @throws IamError `invalid_request` for an identifier that the option does not have */
  requireKnown(identifiers: readonly string[] = []): void {
    const unknown = identifiers.findIndex((each) => this.find(each) === undefined);
    if (unknown >= 0)
      throw wrongMember(
        `resources.${unknown}`,
        `the option \`resources\` has no "${identifiers[unknown] ?? ''}"`,
      );
  }

  /**
   * The identifiers of what a request names, of what it may name; undefined where it names nothing.
   * @throws IamError `invalid_target` (RFC 8707 §2)
   */
  require(asked: readonly string[] | undefined, allowed: readonly string[]): string[] | undefined {
    const admitted = new Set(allowed.map((name) => this.find(name)));
    const found = asked?.map((name) => {
      const resource = this.find(name);
      if (resource === undefined || !admitted.has(resource))
        throw new IamError('invalid_target', `resource: not for this application: ${name.slice(0, 200)}`);
      return resource.identifier;
    });
    return found === undefined ? undefined : [...new Set(found)];
  }

  /** Those of an application that the option still has. */
  identifiersOf(names: readonly string[]): string[] {
    return names.flatMap((name) => this.find(name)?.identifier ?? []);
  }

  /**
   * Of what was granted, what may still be named: never nothing, which would be a token for this application.
   * @throws IamError `invalid_target`
   */
  requireLeft(granted: readonly string[], allowed: readonly string[]): string[] {
    const left = granted.filter((name) => allowed.includes(name));
    if (left.length === 0)
      throw new IamError(
        'invalid_target',
        'resource: none that was granted is for this application any more',
      );
    return left;
  }
}

function isBelow(path: string, parent: string): boolean {
  return `${path}/`.startsWith(`${parent}/`);
}

/** As routers may read a path: decoded, in lower case, without slashes that repeat, up to a semicolon. */
function spelt(path: string): string {
  const [beforeSemicolon = ''] = path.split(';');
  return decoded(beforeSemicolon)
    .replace(/\/{2,}/g, '/')
    .toLowerCase();
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Empty for an address without path. */
export function pathOf({ identifier }: ResolvedIamResource): string {
  return new URL(identifier).pathname.replace(/\/+$/, '');
}
