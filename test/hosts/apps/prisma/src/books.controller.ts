import { Body, Controller, Get, Post, UseGuards } from '@nestjs/common';
import { CurrentUser, IamGuard, type AuthenticatedUser } from 'nestjs-wechat-iam';
import type { Book } from './generated/client.js';
import { PrismaService } from './prisma.service.js';

@UseGuards(IamGuard)
@Controller('books')
export class BooksController {
  constructor(private readonly prisma: PrismaService) {}

  @Get()
  list(@CurrentUser() { id: userId }: AuthenticatedUser): Promise<Book[]> {
    return this.prisma.book.findMany({ where: { userId } });
  }

  @Post()
  create(
    @CurrentUser() { id: userId }: AuthenticatedUser,
    @Body() { title }: { title: string },
  ): Promise<Book> {
    return this.prisma.book.create({ data: { userId, title } });
  }
}
