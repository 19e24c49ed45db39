import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { IamUsers } from 'nestjs-wechat-iam';
import { AppModule } from './app.module';

const port = Number(process.env.PORT);
const tcp: MicroserviceOptions = { transport: Transport.TCP, options: { host: '127.0.0.1', port } };

/** The same module in the processes that serve no HTTP, and in one that serves HTTP and messages. */
async function main(): Promise<void> {
  const context = await NestFactory.createApplicationContext(AppModule);
  const user = await context.get(IamUsers).create({ externalId: 'worker', nickname: 'worker' });
  await context.close();

  const service = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, tcp);
  await service.listen();
  const found = await service.get(IamUsers).findByExternalId('worker');
  await service.close();

  const hybrid = await NestFactory.create(AppModule);
  hybrid.connectMicroservice(tcp);
  await hybrid.startAllMicroservices();
  await hybrid.listen(0, '127.0.0.1');
  const { status } = await fetch(`${await hybrid.getUrl()}/.well-known/oauth-authorization-server`);
  await hybrid.close();

  console.log(`worker: ${found?.id === user.id ? 'same user' : 'another user'}, ${status}`);
}

void main();
