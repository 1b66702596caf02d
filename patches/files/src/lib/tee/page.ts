/** What the attestation client (web/src/client) asks of the page: Open WebUI's own address, chat, toasts and language. */
import { get } from 'svelte/store';
import { toast } from 'svelte-sonner';

import { WEBUI_API_BASE_URL } from '$lib/constants';
import { chatId } from '$lib/stores';

import type { Page } from './client/page';
import type { State } from './client/state';
import { openChecks, refusal, summaryOf } from './client/wording';
import { say, translate, translateKey } from './i18n';
import { openPanel } from './panel';

const ask = async (now: State): Promise<boolean> => {
	const { default: Dialog } = await import('$lib/components/tee/GateDialog.svelte');
	return new Promise((resolve) => {
		const dialog = new Dialog({
			target: document.body,
			props: {
				now,
				answer: (yes: boolean) => {
					resolve(yes);
					setTimeout(() => dialog.$destroy(), 0);
				}
			}
		});
	});
};

/** The checks that stand between a verdict and green, or why there is no verdict. */
const reasons = (now: State): string =>
	now.report
		? openChecks(now)
				.map(({ id, title }) => translateKey(`tee.check.${id}.title`, {}, title))
				.join('; ')
		: say(summaryOf(now));

export const page: Page = {
	api: WEBUI_API_BASE_URL,
	// in development, upstream's backend listens on a port of its own
	isBackend: (url) => import.meta.env.DEV && url.port === '8080',
	chat: () => get(chatId),
	say,
	ask,
	refuse: (now) =>
		toast.error(say(refusal), {
			id: 'tee-refused',
			description: reasons(now),
			action: { label: translate('Details'), onClick: openPanel }
		})
};
