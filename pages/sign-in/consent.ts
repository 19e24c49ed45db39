import { computed, ref } from 'vue';
import { call } from '../shared/api';
import { language } from '../shared/language';
import { settings } from '../shared/settings';
import { codeChallenge, request } from './request';

/** The documents of this site in the language of the page. */
export const documents = computed(() => ({
  terms: settings.terms?.[language.value],
  privacy: settings.privacy?.[language.value],
}));

/** True where a person must agree before a way can be chosen. */
export const needsConsent = settings.terms !== undefined || settings.privacy !== undefined;

/** The box. */
export const isTicked = ref(needsConsent && request.isAgreed);

export const mayChoose = computed(() => !needsConsent || isTicked.value);

/** Tells the server, before each start: consent lasts an hour there. @throws Problem */
export async function recordConsent(): Promise<void> {
  if (!needsConsent) return;
  await call('ui/sign-in/consent', {
    method: 'POST',
    body: { code_challenge: codeChallenge, language: language.value },
  });
}

/** A person tried to go on without the box. */
export const missed = ref(false);

/** Leads a person to the box. */
export function remindOfConsent(): void {
  missed.value = true;
  document.getElementById('consent')?.focus();
}
