/** The evidence bundle: everything that a verdict is made of, as one JSON file that both verifiers read and write. */

import { isObject, parseObject, type JsonObject } from './strict-json.js';
import { parseTime } from './time.js';

export class EvidenceError extends Error {}

export interface ServiceToken {
	service: string;
	url: string;
	token: string;
}

export interface Evidence {
	v: 1;
	/** When the evidence was fetched, ISO 8601 UTC. */
	time: string;
	/** The nonce that the client sent, base64url. */
	nonce: string;
	connected: { origin?: string; tls_spki_sha256?: string };
	/** The document of /api/v1/tee/quote. */
	evidence: JsonObject;
	collateral: JsonObject | null;
	service_tokens: ServiceToken[];
}

const KEYS = ['v', 'time', 'nonce', 'connected', 'evidence', 'collateral', 'service_tokens'];

function isToken(value: unknown): value is ServiceToken & JsonObject {
	return isObject(value) && ['service', 'url', 'token'].every((key) => typeof value[key] === 'string');
}

/** Check the shape of an evidence bundle; throws EvidenceError, in one sentence. Nothing in it is judged here. */
export function asEvidence(value: unknown): Evidence {
	const refuse = (why: string) => new EvidenceError(`the evidence bundle ${why}.`);
	if (!isObject(value)) throw refuse('is not a JSON object');
	const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
	if (unknown !== undefined) throw refuse(`has the unknown key "${unknown}"`);
	if (value['v'] !== 1) throw refuse(`has version ${JSON.stringify(value['v'])}, not 1`);
	const { time, nonce = '', connected = {}, evidence, collateral = null, service_tokens = [] } = value;
	if (!parseTime(time)) throw refuse('states no valid time');
	if (typeof nonce !== 'string') throw refuse('has a nonce that is no text');
	if (!isObject(connected)) throw refuse('does not say where the client was connected');
	if (!isObject(evidence)) throw refuse('holds no evidence');
	if (collateral !== null && !isObject(collateral)) throw refuse('holds collateral that is no object');
	if (!Array.isArray(service_tokens) || !service_tokens.every(isToken)) throw refuse('holds malformed service tokens');
	return { v: 1, time: time as string, nonce, connected, evidence, collateral, service_tokens };
}

/** Read a bundle from its text: duplicate keys, more than 4 MiB and more than 32 levels are refused. */
export function readBundle(text: string): Evidence {
	return asEvidence(parseObject(text, 'The evidence bundle'));
}

/** The bundle as text, one member a line at the top level, for a file. */
export function writeBundle(bundle: Evidence): string {
	return `${JSON.stringify(asEvidence(bundle), null, '\t')}\n`;
}
