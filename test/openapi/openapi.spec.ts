import type { INestApplication } from '@nestjs/common';
import { Ajv } from 'ajv';
import { errorCatalogue } from '../../src/index.js';
import { mountedRoutes } from '../docs/mounted-routes.js';
import { openApiOf } from '../support/described-answers.js';
import { startWorld, type World } from '../support/iam-app.js';

interface Media {
  readonly schema: {
    readonly type?: string;
    readonly properties?: Record<string, { readonly enum?: readonly string[] }>;
  };
  readonly example?: unknown;
}

interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly requestBody?: object;
  readonly responses: Record<string, { readonly content?: Record<string, Media> }>;
}

describe('the OpenAPI description', () => {
  let world: World;
  let operations: Map<string, Operation>;
  beforeAll(async () => {
    world = await startWorld();
    operations = operationsOf(world.app);
  });
  afterAll(() => world.close());

  it('has every route that Nest mounts, each with a summary', () => {
    expect([...operations.keys()].toSorted()).toEqual(mountedRoutes().toSorted());
    expect([...operations.values()].filter(({ summary = '' }) => summary.length < 10)).toEqual([]);
  });

  it('names operations and groups by their paths, each operation differently', () => {
    const nameOf = (route: string) => [operations.get(route)?.operationId, operations.get(route)?.tags];
    const ids = [...operations.values()].map(({ operationId }) => operationId);

    expect(nameOf('GET /iam/me/identities')).toEqual(['iamGetMeIdentities', ['IAM: me']]);
    expect(nameOf('POST /iam/admin/users/{id}/disable')).toEqual([
      'iamPostAdminUsersByIdDisable',
      ['IAM: admin users'],
    ]);
    expect(nameOf('POST /iam/device_authorization')).toEqual([
      'iamPostDeviceAuthorization',
      ['IAM: sign-in'],
    ]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('gives every JSON answer an example that its own schema accepts', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });

    const wrong = mediaOf(operations).filter(
      ({ type, media }) =>
        type.endsWith('json') &&
        media.schema.type !== 'string' &&
        (media.example === undefined || !ajv.validate(media.schema, media.example)),
    );

    expect(wrong.map(({ route, status, media }) => ({ route, status, example: media.example }))).toEqual([]);
  });

  it('names every error code at the routes that answer with it', () => {
    const named = new Set(
      mediaOf(operations).flatMap(({ media: { schema } }) => [
        ...(schema.properties?.['code']?.enum ?? []),
        ...(schema.properties?.['error']?.enum ?? []),
      ]),
    );

    const codes = Object.entries(errorCatalogue).filter(
      ([code, { oauth }]) => !named.has(code) && !named.has(oauth),
    );

    expect(codes.map(([code]) => code)).toEqual([]);
  });

  it('asks for a token exactly where one is needed', () => {
    const guarded = [...operations]
      .filter(([, { security = [] }]) => security.length > 0)
      .map(([route]) => route);

    const needed = mountedRoutes().filter((route) =>
      /\/iam\/(me|admin|approvals|userinfo)(\/|$)/.test(route),
    );
    expect(guarded.toSorted()).toEqual(needed.toSorted());
  });
});

function operationsOf(app: INestApplication): Map<string, Operation> {
  const { paths } = openApiOf(app);
  return new Map(
    Object.entries(paths)
      .filter(([path]) => path.startsWith('/iam/'))
      .flatMap(([path, item]) =>
        Object.entries(item as Record<string, Operation>).map(([method, operation]): [string, Operation] => [
          `${method.toUpperCase()} ${path}`,
          operation,
        ]),
      ),
  );
}

function mediaOf(operations: ReadonlyMap<string, Operation>) {
  return [...operations].flatMap(([route, { responses }]) =>
    Object.entries(responses).flatMap(([status, { content = {} }]) =>
      Object.entries(content).map(([type, media]) => ({ route, status, type, media })),
    ),
  );
}
