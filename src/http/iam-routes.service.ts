import { Injectable, type OnModuleInit, type Type } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { isRecord } from '../errors/unknown.js';
import { endpointsOf, isIamController, type EndpointDeclaration } from './endpoint.decorator.js';
import { IamUrls } from './iam-urls.service.js';

/** One endpoint of ours as this application has it. */
export interface IamRoute {
  /** As its controller declares it, below the option `path`: `me/identities/:id`. */
  readonly endpoint: string;
  /** In upper case. */
  readonly method: string;
  /** As the host's router knows it, with the host's global prefix. */
  readonly pattern: string;
  readonly segments: readonly string[];
  /** The controller's instance, and the handler. */
  readonly controller: object;
  readonly handler: EndpointDeclaration['handler'];
  readonly name: string;
}

/** Finds the endpoint of a request, the same on Express and Fastify, whatever their options for case and slashes. */
@Injectable()
export class IamRoutes implements OnModuleInit {
  private known: readonly IamRoute[] | undefined;
  private roots: readonly string[] = [''];

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly urls: IamUrls,
  ) {}

  /** Now the host has set its global prefix. */
  onModuleInit(): void {
    this.known = this.readAll();
    this.roots = [...new Set(this.known.map(rootOf))];
  }

  /** The endpoints at a path, one for each method: `/api/IAM/token/` is `/api/iam/token`. Those without parameters first. */
  at(path: string): readonly IamRoute[] {
    if (!this.mayBeOurs(path)) return [];
    const segments = segmentsOf(path).map(normalized);
    return this.all.filter((route) => fits(route.segments, segments));
  }

  /** Spares the host's own routes the comparison with every endpoint. An encoded letter may hide the path of one. */
  private mayBeOurs(path: string): boolean {
    return path.includes('%') || this.roots.some((root) => path.slice(0, root.length).toLowerCase() === root);
  }

  /** By method and path as the host's router knows them. */
  find(method: string, pattern: string): IamRoute | undefined {
    const served = method === 'HEAD' ? 'GET' : method;
    return this.all.find((route) => route.method === served && route.pattern === pattern);
  }

  private get all(): readonly IamRoute[] {
    return this.known ?? this.readAll();
  }

  private readAll(): IamRoute[] {
    return this.discovery
      .getControllers()
      .flatMap(({ instance, metatype }: { instance: unknown; metatype: unknown }) =>
        isRecord(instance) && isIamController(metatype) ? this.routesOf(instance, metatype) : [],
      )
      .sort((one, other) => parametersIn(one) - parametersIn(other));
  }

  private routesOf(controller: object, type: Type): IamRoute[] {
    return endpointsOf(type).map(({ path: endpoint, method, handler, name }) => {
      const pattern = this.urls.path(endpoint);
      return { endpoint, method, pattern, segments: segmentsOf(pattern), controller, handler, name };
    });
  }
}

/** The spelling of a path that every router takes for the route; parameters stay as they came. */
export function canonicalPath({ segments }: IamRoute, path: string): string {
  const given = segmentsOf(path);
  return `/${segments.map((segment, index) => (isParameter(segment) ? given[index] : segment)).join('/')}`;
}

/** `/api/iam/`: that of all routes, but where the host leaves some out of its prefix. What a parameter stands for is unknown. */
function rootOf({ pattern, endpoint }: IamRoute): string {
  const [root = ''] = pattern.slice(0, -endpoint.length).split(':');
  return root.toLowerCase();
}

/** A slash at the end changes nothing. */
function segmentsOf(path: string): string[] {
  const segments = path.split('/').slice(1);
  if (segments.at(-1) === '') segments.pop();
  return segments;
}

function fits(pattern: readonly string[], path: readonly string[]): boolean {
  if (pattern.length !== path.length) return false;
  return pattern.every((segment, index) => {
    const given = path[index] ?? '';
    return isParameter(segment) ? given !== '' : given === segment.toLowerCase();
  });
}

function isParameter(segment: string): boolean {
  return segment.startsWith(':');
}

function parametersIn({ segments }: IamRoute): number {
  return segments.filter(isParameter).length;
}

function normalized(segment: string): string {
  try {
    return decodeURIComponent(segment).toLowerCase();
  } catch {
    return segment;
  }
}
