// The documentation site: `npm run docs:site` builds it from the files of the repository, which read as well on GitHub.
import { defineConfig } from 'vitepress';
import { checkFragments } from './check-fragments.mjs';
import { writeForMachines } from './llms.mjs';
import {
  checkIndex,
  decisions,
  excluded,
  groupsOf,
  linkPages,
  repository,
  siteOf,
  slugOf,
  translated,
} from './pages.mjs';

/** Chinese has no blanks between words: each pair of its characters is a term, and so is every word of other scripts. */
function tokenize(text) {
  const parts = text.split(/[^\p{L}\p{N}_]+/u).flatMap((word) => word.split(/(\p{Script=Han}+)/u));
  return parts.filter(Boolean).flatMap((part) => {
    if (!/\p{Script=Han}/u.test(part) || part.length === 1) return part;
    return [...part].slice(1).map((character, at) => [...part][at] + character);
  });
}

/** The same page in the other language, or its index where there is none. It runs in the browser, with what is in the theme. */
function inOtherLanguage({ theme }, { data }, locale) {
  const english = data.relativePath.replace(/^zh-CN\//, '');
  const page = theme.value.translated.includes(english) ? english : 'index.md';
  const prefix = locale === 'root' ? '' : `${locale}/`;
  return `/${prefix}${page.replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '')}`;
}

const hero = ({ tagline, start, startText }) => ({
  layout: 'home',
  hero: {
    name: 'nestjs-wechat-iam',
    tagline,
    actions: [
      { theme: 'brand', text: startText, link: start },
      { theme: 'alt', text: 'GitHub', link: repository },
    ],
  },
});
const heroes = {
  'index.md': hero({
    tagline: 'WeChat sign-in and everything around it, inside the NestJS app that you have',
    start: '/start',
    startText: 'Get started',
  }),
  'zh-CN/index.md': hero({
    tagline: '在你已有的 NestJS 应用里，接好微信登录以及围绕它的一切',
    start: '/zh-CN/start',
    startText: '开始使用',
  }),
};

const searchTexts = {
  button: { buttonText: '搜索', buttonAriaLabel: '搜索' },
  modal: {
    displayDetails: '显示详情',
    resetButtonTitle: '清除',
    backButtonTitle: '关闭',
    noResultsText: '没有找到',
    footer: { selectText: '打开', navigateText: '移动', closeText: '关闭' },
  },
};

const isGuide = (path) => /^docs\/(?!decisions\/|README)/.test(path);
checkIndex('docs/README.md', (path) => isGuide(path) && !path.endsWith('.zh-CN.md'));
checkIndex('docs/README.zh-CN.md', (path) => isGuide(path) && path.endsWith('.zh-CN.md'));

export default defineConfig({
  title: 'nestjs-wechat-iam',
  description: 'WeChat sign-in, users, sessions, roles and administration for NestJS',
  base: '/nestjs-wechat-iam/',
  srcDir: '..',
  srcExclude: excluded,
  rewrites: siteOf,
  cleanUrls: true,
  ignoreDeadLinks: 'localhostLinks',
  markdown: { anchor: { slugify: slugOf }, config: (markdown) => void markdown.use(linkPages) },
  transformPageData: ({ relativePath }) => {
    const frontmatter = heroes[relativePath];
    return frontmatter && { frontmatter };
  },
  async buildEnd({ outDir, site }) {
    await checkFragments(outDir, site.base);
    await writeForMachines(outDir, site.base);
  },
  themeConfig: {
    translated,
    i18nRouting: inOtherLanguage,
    socialLinks: [{ icon: 'github', link: repository }],
    search: {
      provider: 'local',
      options: {
        locales: { 'zh-CN': { translations: searchTexts } },
        miniSearch: {
          options: { tokenize },
          searchOptions: { fuzzy: 0.1, prefix: true, combineWith: 'AND' },
        },
      },
    },
    sidebar: {
      '/': groupsOf('docs/README.md'),
      '/decisions/': [{ text: 'Decisions', items: decisions }],
    },
    editLink: { pattern: `${repository}/edit/main/:path` },
  },
  locales: {
    root: { label: 'English', lang: 'en' },
    'zh-CN': {
      label: '简体中文',
      lang: 'zh-CN',
      description: 'NestJS 的微信登录、用户、会话、角色与管理',
      themeConfig: {
        sidebar: groupsOf('docs/README.zh-CN.md'),
        outline: { label: '本页内容' },
        docFooter: { prev: '上一页', next: '下一页' },
        editLink: { pattern: `${repository}/edit/main/:path`, text: '编辑此页' },
        darkModeSwitchLabel: '外观',
        sidebarMenuLabel: '目录',
        returnToTopLabel: '回到顶部',
        langMenuLabel: '切换语言',
        notFound: { title: '没有这一页', quote: '', linkText: '回到首页', linkLabel: '回到首页' },
      },
    },
  },
});
