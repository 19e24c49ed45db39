import { Controller, Get, Module, NotFoundException, Query, UseFilters } from '@nestjs/common';
import { IamErrorFilter, IamUsers } from '../../src/index.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';

@UseFilters(IamErrorFilter)
@Controller('host')
class HostController {
  constructor(private readonly users: IamUsers) {}

  @Get('bind')
  bind(@Query('token') token: string) {
    return this.users.bind(token, { externalId: '7' });
  }

  @Get('own')
  own() {
    throw new NotFoundException('the host’s own words');
  }
}

@Module({ controllers: [HostController] })
class HostModule {}

describe('IamErrorFilter on a route of the host', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ imports: [HostModule] });
  });
  afterAll(() => world.close());

  const ask = (path: string) =>
    new PcBrowser().visit(`${world.url}/host/${path}`, {
      headers: { accept: 'application/json', 'accept-language': 'en' },
    });

  it('answers what the module’s services throw as on the module’s routes', async () => {
    const reply = await ask('bind?token=nonsense');

    expect(reply.status).toBe(400);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect(reply.json()).toMatchObject({ status: 400, code: 'binding_token_invalid' });
  });

  it('leaves the host’s own errors alone', async () => {
    const reply = await ask('own');

    expect([reply.status, reply.json()['message']]).toEqual([404, 'the host’s own words']);
  });
});
