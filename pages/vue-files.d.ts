/** For tools that read TypeScript alone, such as ESLint; vue-tsc reads the files themselves. */
declare module '*.vue' {
  import type { Component } from 'vue';
  const component: Component;
  // eslint-disable-next-line import-x/no-default-export -- what a .vue file exports
  export default component;
}
