import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';

// Without Nest's parsers Fastify itself knows JSON and text only, and this one takes no more than 1 KiB.
const adapter = new FastifyAdapter({ bodyLimit: 1024 });
const app = await NestFactory.create<NestFastifyApplication>(AppModule, adapter, { bodyParser: false });
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');
console.log('listening');
