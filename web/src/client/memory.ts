/**
 * What this browser remembers of one server: the measurements that the person trusted, reference values that they
 * loaded, how new the collateral was, their service and their gate. `localStorage` is kept per origin, and so is this.
 */
import type { JsonObject } from '../shared/strict-json.js';
import type { SeenByRoot, Snapshot } from '../verifier.js';
import type { Gate, TeeConfig } from './config.js';

const KEY = 'tee-memory';

export type Service = {
	kind: TeeConfig['service'];
	url: string;
	/** The service's key, pinned by the person: a key that a token brings along proves nothing. */
	key: string;
};

export type Memory = {
	v: 1;
	trusted: Snapshot | null;
	/** As the file was; the verifier reads it in every round. */
	references: JsonObject | null;
	/** Numbers of the newest collateral accepted so far: the verifier refuses older. */
	seen: SeenByRoot | null;
	/** The attestation service that the person chose; null: as the server proposes. */
	service: Service | null;
	/** The person trusts whoever administers this service, its machine and its name: never the server's to say. */
	administrator: boolean;
	/** The service had an encrypted channel, as its evidence proved: nothing leaves beside it until that proves that it has none. */
	channel: boolean;
	/** A gate stricter than the server's; null: the server's. */
	gate: Gate | null;
};

const EMPTY: Memory = {
	v: 1,
	trusted: null,
	references: null,
	seen: null,
	service: null,
	administrator: false,
	channel: false,
	gate: null
};

/** Read the memory; anything malformed counts as nothing remembered, so nothing is trusted by accident. */
export const recall = (): Memory => {
	try {
		const found = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Partial<Memory> | null;
		return found?.v === 1 ? { ...EMPTY, ...found } : { ...EMPTY };
	} catch {
		return { ...EMPTY };
	}
};

/** Change part of the memory. Throws where the browser refuses to keep it. */
export const remember = (change: Partial<Memory>): Memory => {
	const memory = { ...recall(), ...change };
	localStorage.setItem(KEY, JSON.stringify(memory));
	return memory;
};
