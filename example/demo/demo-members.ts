import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Members } from '../members/members.service.js';
import { demoMembers } from './demo-links.js';

/** Adds the demo's members where they are missing. */
@Injectable()
export class DemoMembers implements OnApplicationBootstrap {
  constructor(private readonly members: Members) {}

  async onApplicationBootstrap(): Promise<void> {
    for (const { name, ...credentials } of demoMembers) await this.members.addIfMissing(credentials, name);
  }
}
