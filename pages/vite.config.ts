import { join } from 'node:path';
import vue from '@vitejs/plugin-vue';
import type { UserConfig } from 'vite';

const pages = ['admin', 'account', 'sign-in'];

const config: UserConfig = {
  root: import.meta.dirname,
  // Files load each other by names relative to themselves: the path option and the global prefix are the host's.
  base: './',
  plugins: [vue({ features: { optionsAPI: false } })],
  define: { __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
  build: {
    write: false,
    manifest: 'manifest.json',
    target: ['chrome87', 'safari14', 'firefox78'],
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1_000,
    // Browsers of the target have it; the polyfill would be one more script.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: Object.fromEntries(pages.map((page) => [page, join(import.meta.dirname, page, 'main.ts')])),
    },
  },
};

// eslint-disable-next-line import-x/no-default-export -- Vite reads it
export default config;
