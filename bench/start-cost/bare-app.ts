import {
  Controller,
  type DynamicModule,
  Get,
  type INestApplication,
  Module,
  type NestApplicationOptions,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { IamModule } from '../../src/index.js';

@Controller()
class HelloController {
  @Get()
  hello(): string {
    return 'hello';
  }
}

@Module({})
class BareModule {}

/** The same at every start: it seals what is in the database. */
const key = Buffer.alloc(32, 7).toString('base64');

const quiet: Pick<NestApplicationOptions, 'logger'> = { logger: ['error', 'fatal'] };

/** The smallest host that has a database. */
export function createBareApp(
  databaseUrl: string,
  imports: readonly DynamicModule[],
): Promise<INestApplication> {
  const database = TypeOrmModule.forRoot({ type: 'postgres', url: databaseUrl, autoLoadEntities: true });
  const module = { module: BareModule, imports: [database, ...imports], controllers: [HelloController] };
  return NestFactory.create(module, quiet);
}

/** The module as the README's smallest example has it; the class comes from its caller, who measures the import. */
export function moduleImports(iam: typeof IamModule): DynamicModule[] {
  const options = {
    publicUrl: 'http://localhost',
    keys: [key],
    clients: [{ id: 'web', redirectUris: ['http://localhost/signed-in'] }],
  };
  return [iam.forRoot(options)];
}
