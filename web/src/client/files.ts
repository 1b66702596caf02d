/** Evidence as files: what was judged, saved; what somebody saved, judged. Neither changes memory or shield. */

import { get, writable } from 'svelte/store';
import { appraiseFile } from './appraise.js';
import { ask } from './engine.js';
import { recall } from './memory.js';
import { state, timed } from './rounds.js';
import { NOTHING, type State, type Timings } from './state.js';

/** A bundle opened from a file, shown in the panel beside the server's own verdict, never instead of it. */
export const opened = writable<State | null>(null);

/** Judge a bundle from a file's text and show it beside the server's own verdict. */
export const checkFile = async (text: string): Promise<void> => {
	const timings: Timings = {};
	const [bundle, report] = await timed(timings, 'verify', appraiseFile(text, recall()));
	opened.set({ ...NOTHING, phase: 'done', report, bundle, timings, finishedAt: Date.now() });
};

/** Hand the evidence on show to the person as a file that both verifiers read. */
export const saveBundle = async (): Promise<void> => {
	const { bundle } = get(state);
	if (!bundle) return;
	const text = await ask('writeBundle', [bundle]);
	const link = document.createElement('a');
	link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
	link.download = `evidence-${bundle.time.replace(/[:.]/g, '-')}.json`;
	link.click();
	URL.revokeObjectURL(link.href);
};
