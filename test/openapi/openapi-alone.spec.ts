/**
 * Alone: the sources that other test files load describe the endpoints too.
 * @jest-environment node
 */
import { endpointsOf, iamControllers } from '../../src/http/endpoint.decorator.js';
import { describeIam } from '../../src/openapi/describe-iam.js';

/** Where `@nestjs/swagger` keeps what `@ApiOperation()` says. */
const OPERATION = 'swagger/apiOperation';

it('the entry for OpenAPI brings the endpoints that it describes', () => {
  const endpoints = iamControllers.flatMap((controller) => endpointsOf(controller));

  describeIam();

  expect(endpoints.map(({ method, path }) => `${method} ${path}`)).toEqual(
    expect.arrayContaining(['POST token', 'GET me', 'GET admin/roles', 'POST webhook/:provider']),
  );
  expect(endpoints.filter(({ handler }) => !Reflect.hasMetadata(OPERATION, handler))).toEqual([]);
});
