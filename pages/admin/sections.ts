import { Clock } from '@element-plus/icons-vue';
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
    name: 'logins',
    word: ['登录记录', 'Sign-ins'],
    permission: 'iam:logins:read',
    icon: Clock,
    group: 'people',
    views: { '': () => import('./views/LoginsView.vue') },
  },
];
