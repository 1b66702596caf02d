import i18next from 'i18next';
import { derived } from 'svelte/store';

import i18n from '$lib/i18n';

import { fill, type Clause } from './shared/sentence';

/**
 * Our strings' namespaces, files below `src/lib/i18n/locales/<language>/` that upstream's own loader loads: what the first
 * page may say, and what only the panel, the gate's question and an administrator's settings say.
 */
const NAMESPACES = ['tee', 'tee-panel'];

/** Load the second namespace; resolves also where it cannot be had, since English needs none. */
export const loadSentences = (): Promise<void> => i18next.loadNamespaces(NAMESPACES[1]);

const load = () => {
	i18next.loadNamespaces(NAMESPACES[0]);
};

if (i18next.isInitialized) {
	load();
} else {
	i18next.on('initialized', load);
}

type Values = Clause['values'];

/** Languages that have our sentences. All others get English whole, whatever the server's default is: never a mix. */
const OURS = ['en-US', 'id-ID', 'ja-JP', 'zh-CN'];

const spokenIn = (): string => (OURS.includes(i18next.language) ? i18next.language : 'en-US');

/** Days are written as the sentence around them is. */
const inDays = (time: string | number, timeZone?: string): string =>
	new Date(time).toLocaleDateString(spokenIn(), { dateStyle: 'long', timeZone });

const spelled = (name: string, value: string | number): string | number =>
	name === 'date' && /^\d{4}-\d\d-\d\d$/.test(String(value)) ? inDays(value, 'UTC') : value;

/** Values that are clauses themselves, such as a reason, are translated before the sentence that names them. */
const spoken = (values: Values): Record<string, string | number> =>
	Object.fromEntries(
		Object.entries(values).map(([name, value]) => [name, typeof value === 'object' ? say(value) : spelled(name, value)])
	);

/** Colons and full stops in a key are text, not separators. No other language than this one, such as the server's default, speaks for it. */
const options = (values: Values) => ({
	...spoken(values),
	lng: spokenIn(),
	lngs: [spokenIn()],
	ns: NAMESPACES,
	nsSeparator: false as const,
	keySeparator: false as const
});

/** Translate a sentence. The key is the English sentence itself, which a language without our file shows, and a page that has none yet. */
export const translate = (text: string, values: Values = {}): string =>
	i18next.isInitialized ? i18next.t(text, options(values)) : fill(text, values);

/** A clause in the person's language. */
export const say = ({ text, values }: Clause): string => translate(text, values);

/** Translate by a stable key of the verifier's; `english` where this language has no such sentence. */
export const translateKey = (key: string, values: Values, english: string): string => {
	const asked = options(values);
	return i18next.isInitialized && i18next.exists(key, asked) ? i18next.t(key, asked) : english;
};

/** Svelte store of the translation function: changes when the language does, or when our file arrives. */
export const t = derived(i18n, () => (sentence: string | Clause, values?: Values) =>
	typeof sentence === 'string' ? translate(sentence, values) : say(sentence)
);

/** Svelte store of a function: a day (ISO 8601, or milliseconds since 1970) as people write it. */
export const day = derived(i18n, () => (time: string | number) => inDays(time));

/** Svelte store of a function: the time of day, hours and minutes. */
export const clock = derived(
	i18n,
	() => (time: number) => new Date(time).toLocaleTimeString(spokenIn(), { timeStyle: 'short' })
);

/** Svelte store of `translateKey`. */
export const tk = derived(i18n, () => translateKey);
