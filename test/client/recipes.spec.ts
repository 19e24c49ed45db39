import ts from 'typescript';
import { type Example, exampleOf, root } from '../docs/pages.js';

/** The declarations that a recipe's project has; Taro's own package is too large to be installed for them. */
interface Project {
  readonly page: string;
  readonly name: string;
  readonly types?: readonly string[];
  readonly declarations?: string;
}

/** As `@tarojs/taro` 4.2.1 and `@tarojs/components` declare what the recipe uses. */
const taro = `
declare module '@tarojs/taro' {
  interface General { CallbackResult: { errMsg: string } }
  interface Options<R> { complete?: (result: { errMsg: string }) => void; fail?: (result: { errMsg: string }) => void; success?: (result: R) => void }
  interface RequestResult<T> { data: T; header: Record<string, any>; statusCode: number; errMsg: string; cookies?: string[] }
  interface RequestOption<T, U> extends Options<RequestResult<T>> {
    url: string; data?: U; header?: Record<string, any>; timeout?: number;
    method?: 'OPTIONS' | 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'TRACE' | 'CONNECT';
  }
  const Taro: {
    login(option?: { timeout?: number } & Options<{ code: string; errMsg: string }>): Promise<{ code: string; errMsg: string }>;
    request<T = any, U = any>(option: RequestOption<T, U>): Promise<RequestResult<T>>;
    getStorageSync<T = any>(key: string): T;
    setStorageSync(key: string, data: any): void;
    removeStorageSync(key: string): void;
  };
  export default Taro;
}
declare module '@tarojs/components' {
  import type { ComponentType, ReactNode } from 'react';
  export const Button: ComponentType<{ onClick?: () => void; children?: ReactNode }>;
  export const Text: ComponentType<{ children?: ReactNode }>;
}`;

const frontEnd = 'docs/guides/front-end.md';
const miniPrograms = 'docs/guides/mini-programs.md';
const projects: readonly Project[] = [
  { page: frontEnd, name: 'react', types: ['react'] },
  { page: frontEnd, name: 'vue' },
  { page: frontEnd, name: 'device' },
  { page: miniPrograms, name: 'mini-program', types: ['miniprogram-api-typings'] },
  { page: miniPrograms, name: 'taro', types: ['react'], declarations: taro },
  { page: miniPrograms, name: 'uni-app', types: ['@dcloudio/types'] },
];

/** What the projects share: parsing the declarations of browsers takes longer than all else. */
const parsed = new Map<string, ts.SourceFile>();

/** What the compiler says of a recipe in a project of its own, with the sources of the clients. */
function complaintsAbout({ language, code }: Pick<Example, 'language' | 'code'>, project: Project): string[] {
  const recipe = `${root}pages/recipe/index.${language === 'tsx' ? 'tsx' : 'ts'}`;
  const files = new Map([
    [recipe, code],
    [`${root}iam.ts`, `export * from './mini-program/index.js';`],
    [`${root}recipe-modules.d.ts`, project.declarations ?? ''],
  ]);
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    jsx: ts.JsxEmit.ReactJSX,
    types: [...(project.types ?? [])],
    paths: {
      'nestjs-wechat-iam/client': [`${root}client/index.ts`],
      'nestjs-wechat-iam/mini-program': [`${root}mini-program/index.ts`],
    },
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.getSourceFile = (path, ...more) => {
    const known = parsed.get(path) ?? getSourceFile(path, ...more);
    if (known !== undefined && !files.has(path)) parsed.set(path, known);
    return known;
  };
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  const program = ts.createProgram([recipe, `${root}recipe-modules.d.ts`], options, host);
  const file = program.getSourceFile(recipe);
  const found = [
    ...program.getOptionsDiagnostics(),
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ];
  return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('a recipe of the guides', () => {
  it.each(projects)(
    'compiles in its project: $name',
    (project) => {
      expect(complaintsAbout(exampleOf(project.page, project.name), project)).toEqual([]);
    },
    60_000,
  );

  it('would not with a wrong call', () => {
    const [react] = projects;
    const code = `import { IamClient } from 'nestjs-wechat-iam/client';\nnew IamClient({ client: 'web' });`;

    const complaints = react && complaintsAbout({ language: 'typescript', code }, react);

    expect(complaints).toEqual([expect.stringContaining('client')]);
  }, 60_000);
});
