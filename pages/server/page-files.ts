import { brotliDecompressSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { readAsset } from '../../src/http/html.js';

/** The pages that `npm run build` makes. */
export type PageName = 'admin' | 'account' | 'sign-in';

const entry = z.object({ script: z.string(), preloads: z.array(z.string()), styles: z.array(z.string()) });
const built = z.object({
  /** By name: the bytes, compressed with Brotli, in base64. */
  files: z.record(z.string(), z.string()),
  pages: z.record(z.enum(['admin', 'account', 'sign-in']), entry),
});

/** What the HTML of a page loads: names of files. */
export type PageEntry = Readonly<z.output<typeof entry>>;

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** The bytes of a response in an encoding that the browser takes. */
export interface EncodedFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly encoding: 'br' | 'gzip' | null;
}

/** The built files, which stand compressed in this module: a host that bundles its server has no folder of them. */
export class PageFiles {
  private readonly built = z.parse(built, JSON.parse(readAsset('../../dist/pages/ui.json', import.meta.url)));
  private readonly gzipped = new Map<string, Buffer>();

  entry(page: PageName): PageEntry {
    return this.built.pages[page];
  }

  /** Null for a name that is no file of ours. `accepted` is the `Accept-Encoding` of the request. */
  find(name: string, accepted: string): EncodedFile | null {
    const packed = Object.hasOwn(this.built.files, name) ? this.built.files[name] : undefined;
    if (packed === undefined) return null;
    const type = types[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    const compressed = Buffer.from(packed, 'base64');
    if (takes(accepted, 'br')) return { type, bytes: compressed, encoding: 'br' };
    if (!takes(accepted, 'gzip')) return { type, bytes: brotliDecompressSync(compressed), encoding: null };
    const bytes = this.gzipped.get(name) ?? gzipSync(brotliDecompressSync(compressed));
    this.gzipped.set(name, bytes);
    return { type, bytes, encoding: 'gzip' };
  }
}

/** RFC 9110 §12.5.3, for the encodings that browsers name; `q=0` refuses one. */
function takes(accepted: string, encoding: string): boolean {
  return accepted
    .toLowerCase()
    .split(',')
    .map((part) => part.split(';').map((each) => each.trim()))
    .some(([name, weight = 'q=1']) => name === encoding && !/^q=0(\.0*)?$/.test(weight));
}
