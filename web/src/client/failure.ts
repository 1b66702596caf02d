/** Why a round has no verdict: one sentence to translate, not a stack. */

import { clause, Reason, type Clause } from '../shared/sentence.js';

export class RoundError extends Reason {}

/** What any error says; the words of a browser stay as they are. */
export const sentenceOf = (error: unknown): Clause =>
	error instanceof Reason
		? error.clause
		: clause('The check failed: {{reason}}', { reason: String((error as Error | null)?.message ?? error) });
