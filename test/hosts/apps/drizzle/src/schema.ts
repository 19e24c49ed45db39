import { pgTable, serial, text, uuid } from 'drizzle-orm/pg-core';

export const books = pgTable('books', {
  id: serial().primaryKey(),
  userId: uuid('user_id').notNull(),
  title: text().notNull(),
});
