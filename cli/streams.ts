import type { Readable, Writable } from 'node:stream';

/** What a process has; a test gives its own. */
export interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Writes it all; false when the reader has gone away (EPIPE), as `| head` does: nobody is there to complain to. */
export async function write(stream: Writable, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    stream.write(text, (error) => resolve(error === undefined || error === null));
  });
}

/** Without a listener, a reader that goes away would end the process in the middle of its work. */
export function outliveReaders({ stdout, stderr }: Streams): void {
  for (const stream of [stdout, stderr])
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
}

function ignore(): void {
  // `write` tells whoever wrote.
}
