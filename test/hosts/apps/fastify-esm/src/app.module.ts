import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { iamEntities, iamMigrations, IamModule } from 'nestjs-wechat-iam';
import { CreateNotes1700000000000 } from './create-notes.js';
import { Note } from './note.entity.js';
import { NotesController } from './notes.controller.js';
import { Settings, SettingsModule } from './settings.js';
import { WechatProvider } from './wechat-provider.js';

@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      name: 'main',
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: (settings: Settings) => ({
        type: 'postgres',
        url: settings.get('DATABASE_URL'),
        entities: [Note, ...iamEntities],
        migrations: [CreateNotes1700000000000, ...iamMigrations],
        migrationsRun: true,
      }),
    }),
    TypeOrmModule.forFeature([Note], 'main'),
    IamModule.forRootAsync({
      path: 'auth/iam',
      dataSource: 'main',
      globalGuard: true,
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: (settings: Settings) => ({
        publicUrl: settings.get('PUBLIC_URL'),
        keys: [settings.get('IAM_KEY')],
        admin: { token: settings.get('ADMIN_TOKEN') },
        clients: [{ id: 'web', redirectUris: [`${settings.get('PUBLIC_URL')}/signed-in`] }],
        wechat: {
          endpoints: {
            api: settings.get('WECHAT_URL'),
            open: settings.get('WECHAT_URL'),
            mp: settings.get('WECHAT_URL'),
          },
        },
      }),
    }),
  ],
  controllers: [NotesController],
  providers: [WechatProvider],
})
export class AppModule {}
