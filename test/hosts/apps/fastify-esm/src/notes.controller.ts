import { Body, Controller, Get, Post } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { CurrentUser, Public, type AuthenticatedUser } from 'nestjs-wechat-iam';
import { Repository } from 'typeorm';
import { Note } from './note.entity.js';

/** Guarded by the global guard. */
@Controller()
export class NotesController {
  constructor(@InjectRepository(Note, 'main') private readonly notes: Repository<Note>) {}

  @Public()
  @Get('health')
  health(): { healthy: boolean } {
    return { healthy: true };
  }

  @Get('notes')
  list(@CurrentUser() user: AuthenticatedUser): Promise<Note[]> {
    return this.notes.findBy({ userId: user.id });
  }

  @Post('notes')
  create(
    @CurrentUser() { id: userId }: AuthenticatedUser,
    @Body() { text }: { text: string },
  ): Promise<Note> {
    return this.notes.save(this.notes.create({ userId, text }));
  }
}
