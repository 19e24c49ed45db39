import { Body, Controller, Get, Post, UseGuards } from '@nestjs/common';
import { eq } from 'drizzle-orm';
import { CurrentUser, IamGuard, type AuthenticatedUser } from 'nestjs-wechat-iam';
import { Library } from './library.js';
import { books } from './schema.js';

@UseGuards(IamGuard)
@Controller('books')
export class BooksController {
  constructor(private readonly library: Library) {}

  @Get()
  list(@CurrentUser() user: AuthenticatedUser): Promise<(typeof books.$inferSelect)[]> {
    return this.library.db.select().from(books).where(eq(books.userId, user.id));
  }

  @Post()
  async create(
    @CurrentUser() { id: userId }: AuthenticatedUser,
    @Body() { title }: { title: string },
  ): Promise<typeof books.$inferSelect | undefined> {
    const [book] = await this.library.db.insert(books).values({ userId, title }).returning();
    return book;
  }
}
