/** The evidence bundle: everything that a verdict is made of, as one JSON file that both verifiers read and write. */

import { parseOrigin } from './binding.js';
import { isHex } from './bytes.js';
import { isObject, parseObject, type Json, type JsonObject } from './strict-json.js';
import { parseTime } from './time.js';

export class EvidenceError extends Error {}

export interface ServiceToken {
	service: string;
	url: string;
	token: string;
}

/** Where the client was connected: its origin, and the SHA-256 of the TLS key's SubjectPublicKeyInfo where it saw it. */
export interface Connected {
	origin: string;
	tls_spki_sha256?: string;
}

export interface Evidence {
	v: 1;
	/** When the evidence was fetched, ISO 8601 UTC. */
	time: string;
	/** The nonce that the client sent, base64url. */
	nonce: string | null;
	connected: Connected | null;
	/** The document of /api/v1/tee/quote. */
	evidence: JsonObject;
	collateral: Json;
	service_tokens: ServiceToken[];
}

const KEYS = ['v', 'time', 'nonce', 'connected', 'evidence', 'collateral', 'service_tokens'];
const MAX_TOKENS = 16;

function isToken(value: unknown): value is ServiceToken & JsonObject {
	return isObject(value) && ['service', 'url', 'token'].every((key) => typeof value[key] === 'string');
}

function isConnected(value: unknown): value is Connected & JsonObject {
	if (!isObject(value) || Object.keys(value).some((key) => key !== 'origin' && key !== 'tls_spki_sha256')) return false;
	if (parseOrigin(value['origin']) === null) return false;
	return (value['tls_spki_sha256'] ?? null) === null || isHex(value['tls_spki_sha256'], 32);
}

/** Check the shape of an evidence bundle; throws EvidenceError, in one sentence. Nothing in it is judged here. */
export function asEvidence(value: unknown): Evidence {
	const refuse = (why: string) => new EvidenceError(`The evidence bundle ${why}.`);
	if (!isObject(value)) throw refuse('is not a JSON object');
	const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
	if (unknown !== undefined) throw refuse(`has the unknown member "${unknown}"`);
	if (value['v'] !== 1) throw refuse(`has version ${JSON.stringify(value['v'])}, not 1`);
	if (!parseTime(value['time'])) throw refuse('states no valid time');
	const nonce = value['nonce'] ?? null;
	const connected = value['connected'] ?? null;
	const service_tokens = value['service_tokens'] ?? [];
	if (nonce !== null && typeof nonce !== 'string') throw refuse('has a nonce that is no text');
	if (connected !== null && !isConnected(connected))
		throw refuse('has a malformed record of where its client was connected');
	if (!isObject(value['evidence'])) throw refuse('holds no evidence');
	if (!Array.isArray(service_tokens) || service_tokens.length > MAX_TOKENS || !service_tokens.every(isToken))
		throw refuse('holds malformed service tokens');
	const { time, evidence, collateral = null } = value as { time: string; evidence: JsonObject; collateral?: Json };
	return { v: 1, time, nonce, connected, evidence, collateral, service_tokens };
}

/** Read a bundle from its text: duplicate keys, more than 4 MiB and more than 32 levels are refused. */
export function readBundle(text: string): Evidence {
	return asEvidence(parseObject(text, 'The evidence bundle'));
}

/** The bundle as JSON text, for a file. */
export function writeBundle(bundle: Evidence): string {
	return `${JSON.stringify(asEvidence(bundle), null, '\t')}\n`;
}
