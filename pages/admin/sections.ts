import { Clock, Connection, Monitor, User } from '@element-plus/icons-vue';
import type { Component } from 'vue';
import type { RouteComponent } from 'vue-router';
import type { Word } from '../shared/language';

/** An entry of the navigation; `views` are its pages by the path below it, the empty one is what the entry opens. */
export interface Section {
  readonly name: string;
  readonly word: Word;
  readonly permission: string;
  readonly icon: Component;
  readonly group: 'people' | 'set-up' | 'operation';
  readonly views: Readonly<Record<string, () => Promise<RouteComponent>>>;
}

export const groups: Readonly<Record<Section['group'], Word>> = {
  people: ['人员', 'People'],
  'set-up': ['配置', 'Set-up'],
  operation: ['运行', 'Operation'],
};

/** The order of the navigation. The first one that the caller may see is what the administration opens with. */
export const sections: readonly Section[] = [
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
    name: 'sessions',
    word: ['会话', 'Sessions'],
    permission: 'iam:sessions:read',
    icon: Monitor,
    group: 'people',
    views: { '': () => import('./sessions/SessionsView.vue') },
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
    name: 'logins',
    word: ['登录记录', 'Sign-ins'],
    permission: 'iam:logins:read',
    icon: Clock,
    group: 'people',
    views: { '': () => import('./views/LoginsView.vue') },
  },
];
