import { computed, ref } from 'vue';
import { Problem, read } from '../shared/api';
import { asked, clientId, isSecondStep, type Way } from './request';

interface Offer {
  readonly browser: 'wechat' | 'pc' | 'phone';
  readonly providers: readonly {
    readonly slug: string;
    readonly name: string;
    readonly methods: readonly string[];
    readonly recommended: string | null;
    readonly problem: { readonly code: string; readonly title: string } | null;
  }[];
}

const offer = ref<Offer | null>(null);
const failure = ref<Problem | null>(null);

/** Why the offer could not be read. */
export const loadProblem = computed(() => failure.value);
export const isLoading = computed(() => offer.value === null && failure.value === null);
export const browser = computed(() => offer.value?.browser ?? 'pc');

const providers = computed(() =>
  (offer.value?.providers ?? []).filter(({ slug }) => asked.provider === null || slug === asked.provider),
);

/** Every way that works in this browser; of each provider the recommended one first. */
export const ways = computed<Way[]>(() => {
  if (isSecondStep && asked.provider !== null) {
    const name = providers.value[0]?.name ?? '';
    return [{ provider: asked.provider, name, method: asked.method ?? 'open' }];
  }
  return providers.value.flatMap(({ slug, name, methods, recommended }) =>
    methods
      .filter((method) => asked.method === null || asked.method === 'auto' || method === asked.method)
      .sort((one, other) => Number(other === recommended) - Number(one === recommended))
      .map((method) => ({ provider: slug, name, method })),
  );
});

/** Why there is none, in words of the server; null also where no provider is set up at all. */
export const noWay = computed(() => providers.value.find(({ problem }) => problem !== null)?.problem ?? null);

/** Reads what this browser can use. */
export async function load(): Promise<void> {
  failure.value = null;
  try {
    offer.value = await read<Offer>('providers', { client_id: clientId });
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    if (offer.value === null) failure.value = thrown;
  }
}
