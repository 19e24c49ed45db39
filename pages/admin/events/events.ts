import { words } from '../../shared/language';
import { call, path } from '../../shared/api';
import { act, ask } from '../components/feedback';

/** `GET /admin/events`. */
export interface StoredEvent {
  readonly id: string;
  readonly provider: string;
  readonly event: string;
  readonly openid: string | null;
  readonly status: string;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly event_at: string;
  readonly received_at: string;
  readonly next_attempt_at: string | null;
}

const say = words({
  replay: ['重新处理', 'Try again'],
  replayDone: [
    '这条推送已经处理过：它的处理程序会再运行一次。',
    'This event was worked off: its handlers will run once more.',
  ],
  replayed: ['几秒内会重新处理。', 'It will be tried again within seconds.'],
});

/** Has an event processed again; one that was worked off after a question, for its handlers run again. False: not done. */
export async function replay({ id, status }: StoredEvent): Promise<boolean> {
  const isDone = status === 'done';
  const question = { title: say('replay'), text: say('replayDone'), action: say('replay'), isHarmless: true };
  if (isDone && (await ask(question)) === null) return false;
  const send = () =>
    call(`${path('admin', 'events', id)}/replay`, { method: 'POST', body: isDone ? { force: true } : {} });
  return act(send, say('replayed'));
}
