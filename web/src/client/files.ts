/** Evidence as files: what was judged, saved; what somebody saved, judged. Neither changes memory or shield. */

import { get, writable } from 'svelte/store';
import { clause, type Clause } from '../shared/sentence.js';
import type { Overall } from '../shared/verdict.js';
import { appraiseFile } from './appraise.js';
import { ask } from './engine.js';
import { sentenceOf } from './failure.js';
import { recall } from './memory.js';
import { state, timed } from './rounds.js';
import { NOTHING, type State, type Timings } from './state.js';

/** A file that was opened: what it holds and how it was judged, or why it cannot be. */
export type Opened = State & { name: string };

/** A file on show in the panel beside the server's own verdict, never instead of it. */
export const opened = writable<Opened | null>(null);

/** Judge the bundle in a file and show it. What cannot be read takes the place of whatever was on show before. */
export const checkFile = async (name: string, text: string): Promise<void> => {
	const timings: Timings = {};
	try {
		const [bundle, report] = await timed(timings, 'verify', appraiseFile(text, recall()));
		opened.set({ ...NOTHING, name, phase: 'done', report, bundle, timings, finishedAt: Date.now() });
	} catch (error) {
		const failure = clause('“{{name}}” is not evidence, or it is damaged: {{reason}}', {
			name,
			reason: sentenceOf(error)
		});
		opened.set({ ...NOTHING, name, phase: 'failed', failure, finishedAt: Date.now() });
	}
};

const SUMMARIES: Record<Overall, Clause> = {
	verified: clause('The evidence in this file holds: genuine Intel TDX, and what you expect.'),
	incomplete: clause('The evidence in this file is of genuine Intel TDX, but not everything could be checked.'),
	simulated: clause('The evidence in this file is of simulated hardware. Nothing there was protected.'),
	'not-acceptable': clause('The evidence in this file does not hold: a check failed.'),
	'not-genuine': clause('The evidence in this file is not proven to be of Intel TDX.')
};

/** One sentence about a file; never about the server that one is talking to. */
export const summaryOfFile = (file: Opened): Clause =>
	file.failure ?? (file.report ? SUMMARIES[file.report.overall] : clause('Not verified'));

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
