import ts from 'typescript';
import { root, type Example } from './pages.js';

/** What the compiler says of each example under the settings of this repository, by the example's name. */
export function complaintsAbout(examples: readonly Example[]): ReadonlyMap<string, readonly string[]> {
  const texts = new Map(examples.map(({ name, code }) => [pathOf(name), code]));
  const options = settings();
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (path) => texts.has(path) || fileExists(path);
  host.readFile = (path) => texts.get(path) ?? readFile(path);
  const program = ts.createProgram([...texts.keys()], options, host);
  const general = program.getOptionsDiagnostics();
  return new Map(
    examples.map(({ name }) => {
      const file = program.getSourceFile(pathOf(name));
      const own = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
      return [name, [...general, ...own].map(textOf)] as const;
    }),
  );
}

/** A file beside package.json that exists for the compiler only. */
function pathOf(name: string): string {
  return `${root}example-${name.replaceAll(/[^\w-]/g, '-')}.ts`;
}

function textOf({ messageText }: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(messageText, '\n');
}

/** The package's name means its sources, so that no build is needed. */
function settings(): ts.CompilerOptions {
  const path = `${root}tsconfig.json`;
  const { options } = ts.parseJsonSourceFileConfigFileContent(
    ts.readJsonConfigFile(path, (file) => ts.sys.readFile(file)),
    { ...ts.sys, readDirectory: () => [] },
    root,
  );
  return {
    ...options,
    paths: {
      'nestjs-wechat-iam': [`${root}src/index.ts`],
      'nestjs-wechat-iam/emulator': [`${root}emulator/index.ts`],
      'nestjs-wechat-iam/pages': [`${root}pages/server/index.ts`],
    },
  };
}
