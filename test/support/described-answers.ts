import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { brotliDecompressSync, unzipSync } from 'node:zlib';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { isIamRequest } from '../../src/index.js';
import { describeIam } from '../../src/openapi/describe-iam.js';

/** An answer that left the application. */
interface Seen {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

interface Operation {
  readonly responses: Record<string, { content?: Record<string, { schema: object }> } | undefined>;
}

/** The OpenAPI document of an application with the module in it. */
export function openApiOf(app: INestApplication): OpenAPIObject {
  describeIam();
  return SwaggerModule.createDocument(app, new DocumentBuilder().setTitle('test').build());
}

/** Keeps the schemas that it has compiled. */
const ajv = new Ajv({ strict: false, validateFormats: true });
formats.default(ajv);

type Operations = { method: string; pattern: RegExp; operation: Operation }[];

/** The document's operations below `/{path}/`, of the ordinary host: its routes depend on nothing else. */
const ordinary = new Map<string, Operations>();

/** Where the routes are: below `path`, and as the host has changed them, e.g. by a global prefix. */
interface Routes {
  readonly path: string;
  readonly areChanged: boolean;
}

/** Holds every answer of our endpoints against the OpenAPI document; `violations` says what differs. */
export class DescribedResponses {
  readonly violations: string[] = [];
  private readonly operations: Operations;

  constructor(app: INestApplication, { path, areChanged }: Routes) {
    const known = areChanged ? undefined : ordinary.get(path);
    this.operations = known ?? operationsOf(openApiOf(app), (each) => each.includes(`/${path}/`));
    if (!areChanged) ordinary.set(path, this.operations);
    (app.getHttpServer() as Server).prependListener('request', (request, response) =>
      this.watch(request, response),
    );
  }

  private watch(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '' } = request;
    const chunks: Buffer[] = [];
    const { write, end, writeHead } = response;
    // HTTP/2 ends a response by `write` too.
    let isWhole = false;
    const keep = (chunk: unknown): void => {
      if (isWhole) return;
      if (typeof chunk === 'string' || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk as string));
    };
    response.write = (...given: unknown[]) => (
      keep(given[0]),
      Reflect.apply(write, response, given) as boolean
    );
    response.end = (...given: unknown[]) => (
      keep(given[0]),
      (isWhole = true),
      Reflect.apply(end, response, given) as ServerResponse
    );
    let written = '';
    response.writeHead = (...given: unknown[]) => {
      written = contentTypeIn(given.at(-1)) ?? '';
      return Reflect.apply(writeHead, response, given) as ServerResponse;
    };
    response.once('finish', () => {
      const type = String(response.getHeader('content-type') ?? written).replace(/;.*/s, '');
      // A route of the host below the same path is not ours.
      if (!isIamRequest(request)) return;
      const body = unpacked(Buffer.concat(chunks), response).toString('utf8');
      this.check({ method, path: url.replace(/\?.*/s, ''), status: response.statusCode, type, body });
    });
  }

  private check(seen: Seen): void {
    const found = this.operations.find(
      ({ method, pattern }) => method === seen.method.toLowerCase() && pattern.test(seen.path),
    );
    const problem = found === undefined ? null : this.problemOf(found.operation, seen);
    if (problem !== null)
      this.violations.push(`${seen.method} ${seen.path} ${seen.status} ${seen.type}: ${problem}`);
  }

  private problemOf({ responses }: Operation, { status, type, body }: Seen): string | null {
    const described = responses[String(status)];
    if (described === undefined) return `status not described: ${body.slice(0, 200)}`;
    if (body === '' || type === 'text/event-stream') return null;
    const content = described.content?.[type];
    if (content === undefined) return `media type not described: ${body.slice(0, 200)}`;
    if (!type.endsWith('json')) return null;
    const isValid = ajv.validate(content.schema, JSON.parse(body));
    return isValid ? null : `${ajv.errorsText()}: ${body.slice(0, 300)}`;
  }
}

/** The bytes before middleware of the host compressed them. */
function unpacked(bytes: Buffer, response: ServerResponse): Buffer {
  const encoding = response.getHeader('content-encoding');
  if (encoding === undefined || bytes.length === 0) return bytes;
  return encoding === 'br' ? brotliDecompressSync(bytes) : unzipSync(bytes);
}

/** `writeHead` takes an object, or Node's flat list of names and values; what it is given `getHeader` does not know. */
function contentTypeIn(headers: unknown): string | undefined {
  const entries: unknown[][] = Array.isArray(headers)
    ? headers.map((value: unknown, index) => [value, headers[index + 1] as unknown])
    : Object.entries(headers ?? {});
  const [, type] = entries.find(([name]) => String(name).toLowerCase() === 'content-type') ?? [];
  return typeof type === 'string' ? type : undefined;
}

function operationsOf(document: OpenAPIObject, isOurs: (path: string) => boolean): Operations {
  return Object.entries(document.paths)
    .filter(([path]) => isOurs(path))
    .sort(([a], [b]) => (a.match(/\{/g) ?? []).length - (b.match(/\{/g) ?? []).length)
    .flatMap(([path, item]) =>
      Object.entries(item as Record<string, Operation>).map(([method, operation]) => ({
        method,
        pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$`, 'i'),
        operation,
      })),
    );
}
