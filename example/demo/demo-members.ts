import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Members } from '../members/members.service.js';

/** Two members from the time before WeChat. Their passwords stand on the page: it is a demo. */
export const demoMembers = [
  { login: 'afang', password: 'tea-and-rice', name: '阿芳' },
  { login: 'laochen', password: 'pu-er-cake', name: '老陈' },
] as const;

/** Adds the demo's members where they are missing. */
@Injectable()
export class DemoMembers implements OnApplicationBootstrap {
  constructor(private readonly members: Members) {}

  async onApplicationBootstrap(): Promise<void> {
    for (const { name, ...credentials } of demoMembers) await this.members.addIfMissing(credentials, name);
  }
}
