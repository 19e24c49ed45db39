/**
 * What goes wrong with an answer. Fields combine: `{ afterConsuming: true, delay: 6000 }` uses the code up and then
 * keeps the caller waiting.
 */
export interface Fault {
  /** WeChat's error body in place of the answer. */
  readonly errcode?: number;
  readonly errmsg?: string;
  /** An HTTP status, with `body` or an HTML page as a gateway would send it. */
  readonly status?: number;
  /** These bytes in place of the answer, with `contentType` (default `text/plain`). */
  readonly body?: string | Buffer;
  readonly contentType?: string;
  /** Milliseconds before the request takes effect; with `afterConsuming`, between its effect and its answer. */
  readonly delay?: number;
  /** As `delay`, until this settles. For tests in this process, which know what they wait for. */
  readonly until?: Promise<unknown>;
  /** The connection is reset before a byte of the answer. */
  readonly drop?: true;
  /** The connection is reset after so many bytes of the body. */
  readonly truncate?: number;
  /** Milliseconds between one byte of the body and the next. */
  readonly drip?: number;
  /** What `Content-Length` claims. */
  readonly contentLength?: number;
  /** Fields put over the successful JSON: wrong types, `is_snapshotuser`, a hostile nickname. */
  readonly patch?: Readonly<Record<string, unknown>>;
  /** Fields taken out of the successful JSON. */
  readonly remove?: readonly string[];
  /** Control characters in the JSON are sent as they are, as WeChat has done, not as `\u00XX`. */
  readonly rawControls?: true;
  /** The request takes full effect first (the code is used up) and its answer is spoilt then. */
  readonly afterConsuming?: true;
}

/** The faults that wait for requests. Paths are exact, or a beginning followed by `*`. */
export class FaultRegistry {
  readonly #once: { readonly path: string; readonly fault: Fault }[] = [];
  readonly #always = new Map<string, Fault>();

  /** For the next request to the path only; several wait in line. */
  once(path: string, fault: Fault): void {
    this.#once.push({ path, fault });
  }

  /** For every request to the path until cleared. */
  always(path: string, fault: Fault): void {
    this.#always.set(path, fault);
  }

  clear(): void {
    this.#once.length = 0;
    this.#always.clear();
  }

  /** The fault for this request, if any: one that waits for a single request comes first. */
  take(path: string): Fault | undefined {
    const index = this.#once.findIndex((entry) => fits(entry.path, path));
    if (index >= 0) return this.#once.splice(index, 1)[0]?.fault;
    for (const [pattern, fault] of this.#always) {
      if (fits(pattern, path)) return fault;
    }
    return undefined;
  }
}

function fits(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
}
