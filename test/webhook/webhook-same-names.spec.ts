import { Injectable, Module } from '@nestjs/common';
import { OnWechatEvent } from '../../src/index.js';
import { valueOf } from '../support/rows.js';
import { until } from '../support/until.js';
import { post, sealed, startWebhookWorld, textFields } from '../support/webhook.js';

const told: string[] = [];

/** A class named `Listener`, as any module of a host may have one. */
function listenerOf(module: string, failures: number) {
  @Injectable()
  class Listener {
    private left = failures;

    @OnWechatEvent('text')
    hear(): void {
      told.push(module);
      if (this.left > 0) {
        this.left -= 1;
        throw new Error('not yet');
      }
    }
  }
  return Listener;
}

@Module({ providers: [listenerOf('sound', 0)] })
class SoundModule {}

@Module({ providers: [listenerOf('shaky', 1)] })
class ShakyModule {}

it('handlers of two classes with one name are told apart when one of them has to be called again', async () => {
  const world = await startWebhookWorld({}, { imports: [SoundModule, ShakyModule] });
  await post(world.webhook, sealed(textFields('hi'), world));
  await world.dataSource.query('UPDATE iam.webhook_events SET lease_until = now()');

  const status = () => valueOf(world.dataSource, 'SELECT status FROM iam.webhook_events');
  await until('the event is done', async () => (await status()) === 'done');
  await world.close();

  expect(told.sort()).toEqual(['shaky', 'shaky', 'sound']);
});
