import { z } from 'zod';
import { header, type Answer, type Incoming } from '../http/exchange.js';
import { isLoopback, isWechatHost } from '../http/host-names.js';
import type { Route } from '../http/router.js';
import { ControlError } from './control-error.js';

type Given<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [Key in keyof T]: Given<Exclude<T[Key], undefined>> }
    : T;

/** What an action works on: its checked input and the named parts of its path. */
interface ControlRequest<Input> {
  readonly input: Input;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

/** A JSON endpoint under `/_emulator`: input checked by its schema, output as it is, mistakes as `{ error }`. */
export function controlRoute<Schema extends z.ZodType<object>>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  schema: Schema,
  act: (request: ControlRequest<Given<z.infer<Schema>>>) => unknown,
): Route {
  return {
    method,
    path: `/_emulator${path}`,
    quiet: true,
    respond: async (incoming) => {
      try {
        refuseForeign(incoming);
        const input = readInput(schema, incoming);
        return answer((await act({ input, params: incoming.params, query: incoming.query })) ?? { ok: true });
      } catch (error) {
        return refusal(error);
      }
    },
  };
}

/**
 * Only programs and the emulator's own pages may drive it: a page of another origin, or one whose name was pointed at this
 * machine, could otherwise read every secret. Names with a dot belong to somebody else, unless they are WeChat's.
 */
function refuseForeign(incoming: Incoming): void {
  const host = header(incoming, 'host');
  const name = host.replace(/:\d+$/, '');
  const isAddress = /^\[.*\]$|^\d+(?:\.\d+){3}$/.test(name);
  if (name.includes('.') && !isAddress && !isLoopback(name) && !isWechatHost(name))
    throw new ControlError(`the host ${name} is not the emulator's`, 403);
  const origin = header(incoming, 'origin');
  if (origin !== '' && origin.replace(/^https?:\/\//, '') !== host)
    throw new ControlError(`pages of ${origin} may not drive the emulator`, 403);
}

function readInput<Schema extends z.ZodType<object>>(
  schema: Schema,
  { body }: Incoming,
): Given<z.infer<Schema>> {
  const text = body.toString('utf8');
  const input: z.infer<Schema> = schema.parse(text === '' ? {} : JSON.parse(text));
  if (!isGiven(input)) throw new ControlError('JSON has no undefined');
  return input;
}

/** JSON cannot hold `undefined`, so what is optional is either absent or there. */
function isGiven<T extends object>(value: T): value is T & Given<T> {
  return Object.values(value).every((member) => member !== undefined);
}

function refusal(error: unknown): Answer {
  if (error instanceof ControlError) return answer({ error: error.message }, error.status);
  if (error instanceof z.ZodError) return answer({ error: z.prettifyError(error) }, 400);
  return answer({ error: error instanceof Error ? error.message : 'unknown' }, 400);
}

/** 64-bit numbers do not fit into JSON's readers and go out as text. */
function answer(value: unknown, status = 200): Answer {
  const body = JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'bigint' ? String(member) : member,
  );
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body,
  };
}
