/** Why a locked service was not opened by the Trustee that keeps its key, as it says itself: it decides nothing. */

import { clause, type Clause } from '../shared/sentence.js';
import { getTrouble } from './server.js';

/** By the words of `door/key_broker.py`. */
export const TROUBLES: ReadonlyMap<string | null, Clause> = new Map([
	['unreachable', clause('The Trustee that keeps its key cannot be reached.')],
	['denied', clause('The Trustee that keeps its key does not release it to what runs here.')],
	['nothing', clause('The Trustee that is to keep its key has none for it.')],
	['useless', clause('What the Trustee that keeps its key released does not open it.')],
	['understood', clause('The Trustee that keeps its key gave no answer that can be used.')],
	['unasked', clause('The Trustee that keeps its key could not be asked.')]
]);

/** One sentence; null where there is no such trouble. */
export const trouble = async (): Promise<Clause | null> => TROUBLES.get(await getTrouble()) ?? null;
