import {
  ChatLineRound,
  CircleClose,
  Clock,
  Connection,
  Document,
  Grid,
  Key,
  Lock,
  Monitor,
  Odometer,
  Postcard,
  User,
} from '@element-plus/icons-vue';
import type { Component } from 'vue';
import type { RouteComponent } from 'vue-router';
import type { Word } from '../shared/language';

/** An entry of the navigation; `views` are its pages by the path below it, the empty one is what the entry opens. */
export interface Section {
  readonly name: string;
  readonly word: Word;
  readonly permission: string;
  readonly icon: Component;
  readonly group: 'home' | 'people' | 'set-up' | 'operation';
  readonly views: Readonly<Record<string, () => Promise<RouteComponent>>>;
}

/** The headings of the navigation; what is at home needs none. */
export const groups: Readonly<Record<Section['group'], Word>> = {
  home: ['', ''],
  people: ['人员', 'People'],
  'set-up': ['配置', 'Set-up'],
  operation: ['运行', 'Operation'],
};

/** The order of the navigation. The first one that the caller may see is what the administration opens with. */
export const sections: readonly Section[] = [
  {
    name: 'overview',
    word: ['概览', 'Overview'],
    permission: 'iam:audit:read',
    icon: Odometer,
    group: 'home',
    views: { '': () => import('./overview/OverviewView.vue') },
  },
  {
    name: 'users',
    word: ['用户', 'Users'],
    permission: 'iam:users:read',
    icon: User,
    group: 'people',
    views: {
      '': () => import('./users/UsersView.vue'),
      ':id': () => import('./users/UserView.vue'),
      ':id/merge': () => import('./users/MergeView.vue'),
    },
  },
  {
    name: 'bans',
    word: ['抹除后的停用', 'Lasting bans'],
    permission: 'iam:users:read',
    icon: CircleClose,
    group: 'people',
    views: { '': () => import('./users/BansView.vue') },
  },
  {
    name: 'sessions',
    word: ['会话', 'Sessions'],
    permission: 'iam:sessions:read',
    icon: Monitor,
    group: 'people',
    views: { '': () => import('./sessions/SessionsView.vue') },
  },
  {
    name: 'logins',
    word: ['登录记录', 'Sign-ins'],
    permission: 'iam:logins:read',
    icon: Clock,
    group: 'people',
    views: { '': () => import('./views/LoginsView.vue') },
  },
  {
    name: 'providers',
    word: ['登录入口', 'Providers'],
    permission: 'iam:providers:read',
    icon: Connection,
    group: 'set-up',
    views: {
      '': () => import('./providers/ProvidersView.vue'),
      '+': () => import('./providers/NewProviderView.vue'),
      ':slug': () => import('./providers/ProviderView.vue'),
    },
  },
  {
    name: 'clients',
    word: ['应用', 'Applications'],
    permission: 'iam:clients:read',
    icon: Grid,
    group: 'set-up',
    views: {
      '': () => import('./clients/ClientsView.vue'),
      ':id': () => import('./clients/ClientView.vue'),
    },
  },
  {
    name: 'api-keys',
    word: ['API 密钥', 'API keys'],
    permission: 'iam:api_keys:read',
    icon: Lock,
    group: 'set-up',
    views: { '': () => import('./api-keys/ApiKeysView.vue') },
  },
  {
    name: 'roles',
    word: ['角色', 'Roles'],
    permission: 'iam:roles:read',
    icon: Postcard,
    group: 'set-up',
    views: { '': () => import('./roles/RolesView.vue'), ':name': () => import('./roles/RoleView.vue') },
  },
  {
    name: 'keys',
    word: ['服务器密钥', 'Server keys'],
    permission: 'iam:keys:read',
    icon: Key,
    group: 'set-up',
    views: { '': () => import('./keys/KeysView.vue') },
  },
  {
    name: 'events',
    word: ['微信推送', 'WeChat inbox'],
    permission: 'iam:events:read',
    icon: ChatLineRound,
    group: 'operation',
    views: {
      '': () => import('./events/EventsView.vue'),
      logouts: () => import('./events/LogoutsView.vue'),
      ':id': () => import('./events/EventView.vue'),
    },
  },
  {
    name: 'audit',
    word: ['审计日志', 'Audit log'],
    permission: 'iam:audit:read',
    icon: Document,
    group: 'operation',
    views: { '': () => import('./audit/AuditView.vue') },
  },
];
