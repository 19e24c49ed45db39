import { Controller, Get, Inject } from '@nestjs/common';
import { DEMO_LINKS, type DemoLinks } from './demo-links.js';

/** Tells the demo's pages what a real shop would not have: a phone to play with. */
@Controller()
export class DemoController {
  constructor(@Inject(DEMO_LINKS) private readonly links: DemoLinks) {}

  @Get('demo.json')
  demo(): DemoLinks {
    return this.links;
  }
}
