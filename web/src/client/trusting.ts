/** What a person accepted once, made and compared by the verifier. */

import type { Evidence } from '../shared/evidence.js';
import type { JsonObject } from '../shared/strict-json.js';
import type { Difference, Snapshot } from '../verifier.js';
import { ask } from './engine.js';

/** What to keep of the evidence on show, for comparing later. */
export const snapshot = (bundle: Evidence): Promise<Snapshot> =>
	ask('trustSnapshot', [bundle, new Date().toISOString()]);

/** What differs between what was trusted and the evidence on show. */
export const changesSince = (trusted: Snapshot, bundle: Evidence): Promise<Difference[]> =>
	ask('compareTrusted', [trusted, bundle]);

/** Refuse a file of reference values in one sentence; what it holds is kept as it stands, and read again each round. */
export const readReferences = async (text: string): Promise<JsonObject> => {
	await ask('parseReferences', [text]);
	return JSON.parse(text) as JsonObject;
};
