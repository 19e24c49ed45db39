import tseslint from 'typescript-eslint';
import importX from 'eslint-plugin-import-x';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';

/**
 * Imports point down (docs/architecture.md). Each layer names the folders it may not reach.
 * composition → edges → http, strategies → state → wechat, crypto → options, error.
 */
const edges = ['oauth', 'follow', 'webhook', 'account', 'admin', 'account-migration'];
const shared = ['http', 'strategies', 'gateway', 'sign-in', 'health'];
const state = [
  'logins',
  'identity-providers',
  'users',
  'sessions',
  'roles',
  'audit',
  'hooks',
  'erasure',
  'cleanup',
  'inbox',
  'keys',
  'rate-limits',
];
const pure = ['wechat', 'crypto', 'database', 'telemetry'];
const src = (folders) => folders.map((folder) => `./src/${folder}`);
const composition = [
  './src/iam.module.ts',
  './src/iam.providers.ts',
  './src/iam.async-options.ts',
  './src/index.ts',
  './src/composition',
  './src/openapi.ts',
  './src/openapi',
];
const restrictedSyntax = [
  {
    selector: "MemberExpression[object.name='process'][property.name='env']",
    message: 'process.env belongs to ormconfig.ts, example/, bench/, cli/ and test support.',
  },
  {
    selector:
      ":matches(FunctionDeclaration, ArrowFunctionExpression, MethodDefinition[kind!='constructor'] > FunctionExpression)[params.length>4]",
    message: 'More than four parameters: take one options object. (Constructors take what DI injects.)',
  },
];
const ownTime = {
  selector:
    ":matches(MemberExpression[object.name=/^(Date|performance)$/][property.name='now'], NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date'])",
  message: 'Time enters through Clock (src/clock.ts), which tests can set.',
};
const layers = [
  { target: src(shared), from: [...src(edges), ...composition] },
  { target: src(state), from: [...src([...edges, ...shared]), ...composition] },
  {
    target: src(pure),
    from: [...src([...edges, ...shared, ...state]), ...composition],
  },
  {
    target: src([
      'iam.options.ts',
      'iam.resolved-options.ts',
      'iam.hooks.ts',
      'iam.permissions.ts',
      'iam.error.ts',
      'iam.error-texts.ts',
      'clock.ts',
      'request-context.ts',
      'iam.audit-sink.ts',
      'iam-logger.ts',
      'is-record.ts',
      'networks-of.ts',
      'runtime',
      'one-line.ts',
      'options-schema.ts',
    ]),
    from: [...src([...edges, ...shared, ...state]), ...composition],
  },
  { target: src(edges), from: composition },
  { target: ['./src/users'], from: src(['logins', 'sessions']) },
  { target: ['./src'], from: ['./emulator', './example', './bench', './test', './cli'] },
  { target: ['./migrations'], from: ['./src', './emulator', './example', './bench', './test', './cli'] },
  { target: ['./emulator'], from: ['./src', './migrations', './example', './bench', './test', './cli'] },
  { target: ['./test/emulator'], from: ['./src'] },
];

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'test/hosts/apps', 'example/public/vendor', 'coverage'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones: layers }],
      'import-x/no-default-export': 'error',
      'import-x/no-cycle': 'error',
      '@typescript-eslint/consistent-type-imports': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-assertions': 'off',
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/require-await': 'off',
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      'no-restricted-syntax': ['error', ...restrictedSyntax],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/clock.ts'],
    rules: { 'no-restricted-syntax': ['error', ...restrictedSyntax, ownTime] },
  },
  {
    files: ['src/wechat/**/*.ts', 'src/crypto/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['@nestjs/*', 'typeorm'], message: 'wechat/ and crypto/ know no Nest and no TypeORM.' },
          ],
        },
      ],
    },
  },
  {
    files: ['example/**/*.ts', 'bench/**/*.ts', 'cli/**/*.ts', 'test/**/*.ts', 'ormconfig.ts'],
    rules: { 'no-restricted-syntax': 'off', 'no-console': 'off', 'import-x/no-default-export': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/unbound-method': 'off',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  // QueryRunner.connection is the one name that TypeORM 0.3 and 1 share.
  { files: ['migrations/**/*.ts'], rules: { '@typescript-eslint/no-deprecated': 'off' } },
  { files: ['test/types/**/*.ts'], rules: { '@typescript-eslint/no-unused-vars': 'off' } },
);
