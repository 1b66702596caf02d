/** Opens the panel, whose code is loaded when somebody first asks for it. */
let panel: { show: () => void } | null = null;

export const openPanel = async () => {
	if (!panel) {
		const { default: Panel } = await import('$lib/components/tee/Panel.svelte');
		panel ??= new Panel({ target: document.body }) as unknown as { show: () => void };
	}
	panel.show();
};
