/** What the attestation client (web/src/client) asks of the page: Open WebUI's own address, chat, toasts and language. */
import { get } from 'svelte/store';
import { toast } from 'svelte-sonner';

import { WEBUI_API_BASE_URL } from '$lib/constants';
import { chatId } from '$lib/stores';

import type { Page } from './client/page';
import type { State } from './client/state';
import type { Kind } from './client/content';
import { openChecks, refusalOf, summaryOf } from './client/wording';
import { loadSentences, say, translate, translateKey } from './i18n';
import { state } from './client/rounds';
import { loadPanel, openPanel } from './panel';

const dialog = async () => {
	const [loaded] = await Promise.all([import('$lib/components/tee/GateDialog.svelte'), loadSentences()]);
	return loaded;
};

const ask = async (_: State, kind: Kind): Promise<boolean> => {
	const loaded = await dialog().catch(() => null);
	if (!loaded) {
		toast.error(say(refusalOf(kind)), { id: 'tee-refused', description: translate('The server could not be reached.') });
		return false;
	}
	return new Promise((resolve) => {
		const shown = new loaded.default({
			target: document.body,
			props: {
				kind,
				answer: (yes: boolean) => {
					resolve(yes);
					setTimeout(() => shown.$destroy(), 0);
				}
			}
		});
	});
};

/** What is wrong: why there is no verdict, or what the first check says that stands between it and green. */
const reason = (now: State): string => {
	const [first] = openChecks(now);
	return first ? translateKey(first.key, { ...first.params, ...first.texts }, first.detail) : say(summaryOf(now));
};

/** How long a check may take before anybody is told that something waits for it: shorter than anybody notices. */
const UNNOTICED_MS = 150;

const wait = (): (() => void) => {
	const timer = setTimeout(
		() => toast.loading(translate('Waiting for the check of this server'), { id: 'tee-waiting', duration: Infinity }),
		UNNOTICED_MS
	);
	return () => {
		clearTimeout(timer);
		toast.dismiss('tee-waiting');
	};
};

/** After the page has what it needs itself. */
const IDLE_MS = 500;

/** Load what is shown when something is wrong while the server still answers. */
export const preload = () => {
	const stop = state.subscribe(({ phase }) => {
		if (phase !== 'done' && phase !== 'failed') return;
		setTimeout(() => {
			stop();
			void Promise.allSettled([dialog(), loadPanel()]);
		}, IDLE_MS);
	});
};

/** Long enough to be read where the page beneath it has nothing else to say. */
const TOLD_MS = 15_000;

export const page: Page = {
	api: WEBUI_API_BASE_URL,
	// in development, upstream's backend listens on a port of its own
	isBackend: (url) => import.meta.env.DEV && url.port === '8080',
	chat: () => get(chatId),
	say,
	ask,
	wait,
	tell: (sentence) => toast.error(say(sentence), { id: 'tee-locked', duration: TOLD_MS }),
	refuse: (now, kind) =>
		toast.error(say(refusalOf(kind)), {
			id: 'tee-refused',
			description: reason(now),
			action: { label: translate('Details'), onClick: openPanel }
		})
};
