import { Body, Controller, Module, Post, UseGuards } from '@nestjs/common';
import { IamGuard, IamUsers } from '../../src/index.js';

@Controller('members')
class MembersController {
  constructor(private readonly users: IamUsers) {}

  /** A route of the host's own, by which the host makes users. */
  @Post()
  @UseGuards(IamGuard)
  create(@Body() { externalId }: { externalId: string }) {
    return this.users.create({ externalId });
  }
}

/** A host with a route of its own. */
@Module({ controllers: [MembersController] })
export class MembersModule {}
