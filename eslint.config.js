import tseslint from 'typescript-eslint';
import vue from 'eslint-plugin-vue';
import importX from 'eslint-plugin-import-x';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';

/** The folders of `src` from the bottom up (docs/architecture.md): each imports only what stands before it. */
const order = [
  'errors',
  'crypto',
  'runtime',
  'config',
  'database',
  'wechat',
  'http',
  'audit',
  'users',
  'roles',
  'sessions',
  'identity-providers',
  'keys',
  'sign-in',
  'webhook',
  'oauth',
  'qr-login',
  'privacy',
  'account',
  'health',
  'admin',
  'openapi',
];
const src = (names) => names.map((name) => `./src/${name}`);
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
  message: 'Time enters through Clock (src/runtime/clock.ts), which tests can set.',
};
/** Programs and tests, which nothing of the package imports. */
const programs = ['./example', './bench', './test', './cli', './scripts'];
const pages = ['./pages/admin', './pages/account', './pages/sign-in'];
const clients = ['./client', './mini-program'];
const layers = [
  ...order.map((folder, at) => ({
    target: `./src/${folder}`,
    from: src([...order.slice(at + 1), 'index.ts', 'iam.module.ts', 'iam.background.module.ts']),
  })),
  { target: src(order.filter((folder) => folder !== 'health')), from: './src/iam.entities.ts' },
  { target: './src', from: [...programs, './emulator', './pages', ...clients] },
  {
    target: './pages/server',
    from: [...programs, './emulator', './migrations', ...pages, './pages/shared', ...clients],
  },
  // Pages know the server by its API alone, but for the tables of User-Agents and error texts, which are nothing but text, and the
  // types of what is written into the HTML.
  {
    target: [...pages, './pages/shared'],
    from: [...programs, './emulator', './migrations', './mini-program'],
  },
  { target: [...pages, './pages/shared'], from: './pages/server', except: ['./page-data.ts'] },
  {
    target: [...pages, './pages/shared'],
    from: './src',
    except: ['./http/user-agent.ts', './errors/iam.error-texts.ts'],
  },
  ...pages.map((page) => ({ target: page, from: pages.filter((other) => other !== page) })),
  { target: './pages/shared', from: pages },
  { target: './migrations', from: [...programs, './src', './emulator', './pages', ...clients] },
  { target: './emulator', from: [...programs, './src', './migrations', './pages', ...clients] },
  // What browsers and mini programs load has nothing of the server in it.
  { target: clients, from: [...programs, './src', './migrations', './emulator', './pages'] },
  { target: './client', from: './mini-program' },
  { target: './test/emulator', from: './src' },
];

export default tseslint.config(
  {
    ignores: ['dist', 'node_modules', 'test/hosts/apps', 'coverage', 'mutation/sandbox'],
  },
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
  ...vue.configs['flat/recommended'].map((each) => ({ ...each, files: ['pages/**/*.vue'] })),
  {
    files: ['pages/**/*.vue'],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones: layers }],
      'max-lines': ['error', { max: 350, skipBlankLines: true, skipComments: true }],
      // Prettier decides.
      'vue/html-closing-bracket-newline': 'off',
      'vue/html-indent': 'off',
      'vue/html-self-closing': 'off',
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/require-default-prop': 'off',
      'vue/no-v-html': 'error',
    },
  },
  {
    // The scripts of our own pages: what browsers of 2018 understand, without a build.
    files: ['src/**/assets/*.js'],
    languageOptions: {
      ecmaVersion: 2018,
      sourceType: 'script',
      globals: Object.fromEntries(
        [
          'clearTimeout',
          'document',
          'EventSource',
          'fetch',
          'location',
          'navigator',
          'setTimeout',
          'window',
        ].map((name) => [name, 'readonly']),
      ),
    },
    rules: {
      eqeqeq: 'error',
      'no-undef': 'error',
      'no-unused-vars': 'error',
      'no-use-before-define': ['error', { functions: false }],
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/runtime/clock.ts'],
    rules: { 'no-restricted-syntax': ['error', ...restrictedSyntax, ownTime] },
  },
  {
    files: ['src/wechat/**/*.ts', 'src/crypto/**/*.ts'],
    ignores: ['src/wechat/*.service.ts', 'src/wechat/*.module.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['@nestjs/*', 'typeorm'],
              message: 'crypto/ and wechat/, but for its services and module, know no Nest and no TypeORM.',
            },
          ],
        },
      ],
    },
  },
  {
    files: [
      'example/**/*.ts',
      'bench/**/*.ts',
      'cli/**/*.ts',
      'scripts/**/*.ts',
      'test/**/*.ts',
      'ormconfig.ts',
    ],
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
