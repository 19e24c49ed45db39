import { SetMetadata } from '@nestjs/common';
import type { z } from 'zod';
import type { IamErrorCode } from '../errors/iam.error.js';
import type { AdminPermission } from '../config/iam.permissions.js';
import type { BodyType } from './zod.pipe.js';

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
  /** Of a route that reads its query or body itself; the others have a `ZodPipe` at the parameter. */
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** @default json */
  readonly bodyType?: BodyType;
  /** By HTTP status; a list where a status has several forms. A plain value has the first status with a body, nothing the first without. */
  readonly responses: Readonly<Record<number, ResponseSchema | readonly ResponseSchema[]>>;
  /** An answer as a front-end gets it. */
  readonly example?: unknown;
  /** The codes that belong to this route, besides those that any route may answer with. */
  readonly errors?: readonly IamErrorCode[];
}

/** Describes a route. */
export const Endpoint = (description: EndpointDescription) => SetMetadata(ENDPOINT, description);
