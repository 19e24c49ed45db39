import { SetMetadata } from '@nestjs/common';
import type { z } from 'zod';
import type { IamErrorCode } from '../errors/iam.error.js';
import type { AdminPermission } from '../config/iam.permissions.js';

/** Metadata key of `@Endpoint()`. */
export const ENDPOINT = 'nestjs-wechat-iam:endpoint';

/** The JSON of an answer, null for an answer without a body, a media type for one that is not JSON. */
export type ResponseSchema = z.ZodType | null | `${string}/${string}`;

/** What a route takes and answers: the very schemas that validate, from which its OpenAPI description is made. */
export interface EndpointDescription {
  /** One line. */
  readonly summary: string;
  /** The permission that the admin API asks for; an admin route without one is refused to everybody. */
  readonly permission?: AdminPermission;
  /** What the route's path parameters are. */
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /**
   * `form` takes a form as well as JSON (RFC 6749 §3.2); a media type is taken as it is.
   * @default json
   */
  readonly bodyType?: 'json' | 'form' | `${string}/${string}`;
  /** By HTTP status; a list where a status has several forms. */
  readonly responses: Readonly<Record<number, ResponseSchema | readonly ResponseSchema[]>>;
  /** An answer as a front-end gets it. */
  readonly example?: unknown;
  /** The codes that belong to this route, besides those that any route may answer with. */
  readonly errors?: readonly IamErrorCode[];
}

/** Describes a route. */
export const Endpoint = (description: EndpointDescription) => SetMetadata(ENDPOINT, description);
