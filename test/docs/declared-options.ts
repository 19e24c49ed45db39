import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { root } from './pages.js';

/** An option as its interface declares it. */
export interface DeclaredOption {
  /** With its place, e.g. `tokens.idle` or `clients[].id`. */
  readonly name: string;
  readonly isRequired: boolean;
  /** The text after `@default`, without backticks. */
  readonly defaultText: string | undefined;
}

/** What a host may write: every field of `IamOptions` and `IamStaticOptions`, down to the leaves. */
export function declaredOptions(): DeclaredOption[] {
  const path = `${root}src/config/iam.options.ts`;
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const interfaces = new Map(
    file.statements.filter(ts.isInterfaceDeclaration).map((each) => [each.name.text, each] as const),
  );
  const fieldsOf = (name: string, place: string): DeclaredOption[] => {
    const declaration = interfaces.get(name);
    if (declaration === undefined) throw new Error(`src/config/iam.options.ts has no interface ${name}`);
    return declaration.members.filter(ts.isPropertySignature).flatMap((field) => {
      const type = field.type?.getText() ?? '';
      const [inner] = /\bIam(?!Hooks|AuditSink)\w+/.exec(type) ?? [];
      const own = `${place}${field.name.getText()}`;
      const inners =
        inner === undefined ? [] : fieldsOf(inner, type.includes('[]') ? `${own}[].` : `${own}.`);
      const option = {
        name: own,
        isRequired: field.questionToken === undefined,
        defaultText: defaultOf(field),
      };
      // An option that is nothing but its fields is told by them.
      return inner !== undefined && !type.includes('|') ? inners : [option, ...inners];
    });
  };
  return [...fieldsOf('IamOptions', ''), ...fieldsOf('IamStaticOptions', '')];
}

function defaultOf(field: ts.PropertySignature): string | undefined {
  const tag = ts.getJSDocTags(field).find(({ tagName }) => tagName.text === 'default');
  return ts.getTextOfJSDocComment(tag?.comment)?.replaceAll('`', '').trim();
}
