export { IamPagesModule } from './pages.module.js';
export type { IamPagesOptions, LocalizedText } from './pages-options.js';
