import i18next from 'i18next';
import { derived } from 'svelte/store';

import i18n from '$lib/i18n';

import type { Clause } from './shared/sentence';

/** Our strings' namespace: `src/lib/i18n/locales/<language>/tee.json`, loaded by upstream's own loader. */
const NAMESPACE = 'tee';

const load = () => {
	i18next.loadNamespaces(NAMESPACE);
};

if (i18next.isInitialized) {
	load();
} else {
	i18next.on('initialized', load);
}

type Values = Clause['values'];

/** Values that are clauses themselves, such as a reason, are translated before the sentence that names them. */
const spoken = (values: Values): Record<string, string | number> =>
	Object.fromEntries(
		Object.entries(values).map(([name, value]) => [name, typeof value === 'object' ? say(value) : value])
	);

/**
 * Translate a sentence. The key is the English sentence itself, so a language without our file shows
 * English; colons and full stops in it are text, not separators.
 */
export const translate = (text: string, values: Values = {}): string =>
	i18next.isInitialized
		? i18next.t(text, { ...spoken(values), ns: NAMESPACE, nsSeparator: false, keySeparator: false })
		: text;

/** A clause in the person's language. */
export const say = ({ text, values }: Clause): string => translate(text, values);

/** Translate by a stable key of the verifier's; `english` where this language has no such sentence. */
export const translateKey = (key: string, values: Values, english: string): string => {
	const options = { ...spoken(values), ns: NAMESPACE, nsSeparator: false as const, keySeparator: false as const };
	return i18next.isInitialized && i18next.exists(key, options) ? i18next.t(key, options) : english;
};

/** Svelte store of the translation function: changes when the language does, or when our file arrives. */
export const t = derived(i18n, () => (sentence: string | Clause, values?: Values) =>
	typeof sentence === 'string' ? translate(sentence, values) : say(sentence)
);

/** Svelte store of `translateKey`. */
export const tk = derived(i18n, () => translateKey);
