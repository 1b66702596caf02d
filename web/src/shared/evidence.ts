/** The evidence bundle: everything that a verdict is made of, as one JSON file that both verifiers read and write. */

import { parseOrigin } from './origin.js';
import { isHex } from './bytes.js';
import { clause, ReasonSentence } from './sentence.js';
import { isObject, parseObject, type Json, type JsonObject } from './strict-json.js';
import { parseTime } from './time.js';

export class EvidenceError extends ReasonSentence {}

export interface ServiceToken {
	service: string;
	url: string;
	token: string;
}

/** Where the client was connected. */
export interface Connected {
	origin: string;
	/** SHA-256 of the TLS key's SubjectPublicKeyInfo, hex, where the client saw it. */
	tls_spki_sha256?: string;
	/** The client, a page, seals what it sends to the key that the evidence binds (docs/channel.md). */
	sealed?: true;
}

export interface Evidence {
	v: 1;
	/** When the evidence was fetched, ISO 8601 UTC. */
	time: string;
	/** The nonce that the client sent, base64url. */
	nonce: string | null;
	connected: Connected | null;
	/** The document of /api/v1/tee/quote; and `boot_log`, of /api/v1/tee/boot-log, where that was asked for. */
	evidence: JsonObject;
	collateral: Json;
	service_tokens: ServiceToken[];
}

const KEYS = ['v', 'time', 'nonce', 'connected', 'evidence', 'collateral', 'service_tokens'];
const MAX_TOKENS = 16;
const BUNDLE = clause('The evidence bundle');

function isToken(value: unknown): value is ServiceToken & JsonObject {
	return isObject(value) && ['service', 'url', 'token'].every((key) => typeof value[key] === 'string');
}

const CONNECTED = ['origin', 'tls_spki_sha256', 'sealed'];

function isConnected(value: unknown): value is Connected & JsonObject {
	if (!isObject(value) || Object.keys(value).some((key) => !CONNECTED.includes(key))) return false;
	if (Object.hasOwn(value, 'sealed') && value['sealed'] !== true) return false;
	if (parseOrigin(value['origin']) === null) return false;
	return (value['tls_spki_sha256'] ?? null) === null || isHex(value['tls_spki_sha256'], 32);
}

/** Check the shape of an evidence bundle; throws EvidenceError, in one sentence. Nothing in it is judged here. */
export function asEvidence(value: unknown): Evidence {
	if (!isObject(value)) throw new EvidenceError('{{what}} is not a JSON object', { what: BUNDLE });
	const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
	if (unknown !== undefined)
		throw new EvidenceError('The evidence bundle has the unknown member "{{name}}"', { name: unknown });
	if (value['v'] !== 1)
		throw new EvidenceError('The evidence bundle has version {{version}}, not 1', {
			version: String(JSON.stringify(value['v']))
		});
	if (!parseTime(value['time'])) throw new EvidenceError('The evidence bundle states no valid time');
	const nonce = value['nonce'] ?? null;
	const connected = value['connected'] ?? null;
	const service_tokens = value['service_tokens'] ?? [];
	if (nonce !== null && typeof nonce !== 'string')
		throw new EvidenceError('The evidence bundle has a nonce that is no text');
	if (connected !== null && !isConnected(connected))
		throw new EvidenceError('The evidence bundle has a malformed record of where its client was connected');
	if (!isObject(value['evidence'])) throw new EvidenceError('The evidence bundle holds no evidence');
	if (!Array.isArray(service_tokens) || service_tokens.length > MAX_TOKENS || !service_tokens.every(isToken))
		throw new EvidenceError('The evidence bundle holds malformed service tokens');
	const { time, evidence, collateral = null } = value as { time: string; evidence: JsonObject; collateral?: Json };
	return { v: 1, time, nonce, connected, evidence, collateral, service_tokens };
}

/** Read a bundle from its text: duplicate keys, more than 4 MiB and more than 32 levels are refused. */
export function readBundle(text: string): Evidence {
	return asEvidence(parseObject(text, BUNDLE));
}

/** The bundle as JSON text, for a file. */
export function writeBundle(bundle: Evidence): string {
	return `${JSON.stringify(asEvidence(bundle), null, '\t')}\n`;
}
