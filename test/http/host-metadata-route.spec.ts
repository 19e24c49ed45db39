import { Controller, Get, Module } from '@nestjs/common';
import { startWorld } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';

@Controller('.well-known')
class HostController {
  @Get('oauth-authorization-server')
  show(): Record<string, string> {
    return { issuer: 'https://another.example' };
  }
}

@Module({ controllers: [HostController] })
class HostModule {}

describe.each(platforms)('/.well-known/oauth-authorization-server on %s', (_name, create) => {
  const visit = (url: string) => new PcBrowser().visit(`${url}/.well-known/oauth-authorization-server`);

  it('is ours', async () => {
    const world = await startWorld({ create });

    const reply = await visit(world.url);
    await world.close();

    expect(reply.json()['issuer']).toBe(world.url);
  });

  it('is the host’s where the host has one', async () => {
    const world = await startWorld({ create, imports: [HostModule] });

    const replies = [await visit(world.url), await visit(`${world.url}/iam`)];
    await world.close();

    expect(replies.map((reply) => reply.json()['issuer'])).toEqual(['https://another.example', world.url]);
  });
});
