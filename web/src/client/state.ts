/** What is known of a server at one moment: everything that the views show, and that the gate decides by. */

import type { Evidence } from '../shared/evidence.js';
import type { Clause } from '../shared/sentence.js';
import type { Report } from '../verifier.js';

/** Milliseconds that each part of a round took. */
export type Timings = Record<string, number>;

export type State = {
	phase: 'idle' | 'checking' | 'done' | 'failed';
	/** Why there is no verdict, when a round failed. */
	failure: Clause | null;
	/** What was judged and how; of the newest round only. */
	report: Report | null;
	bundle: Evidence | null;
	collateralFailure: Clause | null;
	timings: Timings;
	finishedAt: number;
};

export const NOTHING: State = {
	phase: 'idle',
	failure: null,
	report: null,
	bundle: null,
	collateralFailure: null,
	timings: {},
	finishedAt: 0
};

/** Whether what the service keeps is encrypted and was not opened yet: its evidence binds the key that its owner seals to. */
export const lockedUp = ({ bundle }: State): boolean => {
	const bound = bundle?.evidence['runtime_data'] as { unlock?: unknown } | null | undefined;
	return typeof bound?.unlock === 'string';
};
