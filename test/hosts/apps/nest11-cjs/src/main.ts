import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describeIam } from 'nestjs-wechat-iam/openapi';
import { AppModule } from './app.module';

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule);
  app.enableShutdownHooks();
  describeIam();
  const description = new DocumentBuilder().setTitle('A shop').addBearerAuth(undefined, 'iam').build();
  SwaggerModule.setup('docs', app, SwaggerModule.createDocument(app, description));
  await app.listen(process.env.PORT ?? 3000, '127.0.0.1');
  console.log('listening');
}

void main();
