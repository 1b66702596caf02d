/** Opens the panel, whose code is loaded when somebody first asks for it, or after the first round. */
import { toast } from 'svelte-sonner';

import { loadSentences, translate } from './i18n';

let panel: { show: () => void } | null = null;

export const loadPanel = async () => {
	const [loaded] = await Promise.all([import('$lib/components/tee/Panel.svelte'), loadSentences()]);
	return loaded;
};

export const openPanel = async () => {
	if (!panel) {
		const loaded = await loadPanel().catch(() => null);
		if (!loaded) {
			toast.error(translate('The server could not be reached.'), { id: 'tee-panel' });
			return;
		}
		panel ??= new loaded.default({ target: document.body }) as unknown as { show: () => void };
	}
	panel.show();
};
