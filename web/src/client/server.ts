/** The attestation endpoints. Every failure is one sentence that a person can act on. */

import type { Clause } from '../shared/sentence.js';
import type { Json, JsonObject } from '../shared/strict-json.js';
import { asConfig, type TeeConfig } from './config.js';
import { RoundError } from './failure.js';
import { page } from './page.js';

/** What `GET /api/v1/tee/quote` answers; only `quote`, `runtime_data`, `proof` and `event_log` are judged. */
export type QuoteAnswer = JsonObject & { quote: string };

const TIMEOUT_MS = 20_000;
/** Of an answer: evidence with its proof and a long event log has a tenth of it. */
const MAX_BYTES = 1024 * 1024;

/** The server's words as a sentence of ours, where they are one; the list is loaded when it is first needed. */
const recognised = async (detail: string): Promise<Clause | string> => {
	const { recognise } = await import('./answers.js').catch(() => ({ recognise: (text: string) => text }));
	return recognise(detail);
};

const explain = async (response: Response): Promise<RoundError> => {
	const body = (await response.json().catch(() => null)) as { detail?: unknown } | null;
	if (response.status === 429) {
		const seconds = response.headers.get('Retry-After') ?? '60';
		return new RoundError('The server was asked too often; try again in {{seconds}} s.', {
			seconds
		});
	}
	if (response.status === 404) {
		return new RoundError('This server offers no attestation.');
	}
	const detail = await recognised(typeof body?.detail === 'string' ? body.detail : response.statusText);
	if (response.status === 503) {
		return new RoundError('The server has no evidence to give now: {{detail}}', { detail });
	}
	return new RoundError('The server answered with status {{status}}: {{detail}}', {
		status: response.status,
		detail
	});
};

/** The answer's text, of which nothing beyond the limit is kept. */
const textOf = async (response: Response): Promise<string> => {
	const decoder = new TextDecoder();
	const reader = response.body?.getReader();
	let [text, size] = ['', 0];
	for (let part = await reader?.read(); part && !part.done; part = await reader!.read()) {
		size += part.value.length;
		if (size > MAX_BYTES) {
			await reader!.cancel();
			throw new RoundError('The server answered with more than {{limit}} bytes.', { limit: MAX_BYTES });
		}
		text += decoder.decode(part.value, { stream: true });
	}
	return text + decoder.decode();
};

const parsed = (text: string): unknown => {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
};

const get = async <T>(path: string): Promise<T> => {
	let response: Response;
	try {
		response = await fetch(`${page().api}/tee/${path}`, {
			cache: 'no-store',
			credentials: 'omit',
			signal: AbortSignal.timeout(TIMEOUT_MS)
		});
	} catch (error) {
		if ((error as Error).name === 'TimeoutError') {
			throw new RoundError('The server did not answer within {{seconds}} seconds.', {
				seconds: TIMEOUT_MS / 1000
			});
		}
		throw new RoundError('The server could not be reached.');
	}
	if (!response.ok) throw await explain(response);
	const body = parsed(await textOf(response));
	if (body === null || typeof body !== 'object') {
		throw new RoundError('The server answered something that is not JSON.');
	}
	return body as T;
};

/** Evidence bound to `nonce` (32 bytes, base64url without padding). */
export const getEvidence = async (nonce: string): Promise<QuoteAnswer> => {
	const evidence = await get<QuoteAnswer>(`quote?nonce=${nonce}`);
	if (typeof evidence.quote !== 'string') {
		throw new RoundError('The server answered without a quote.');
	}
	return evidence;
};

/** Intel's collateral as this server relays it: signed by Intel, so the relay needs no trust. */
export const getCollateral = (): Promise<Json> => get<JsonObject>('collateral');

/** Why a service that is locked could not get its key from where that is kept, by a word; null where nothing is said of it. */
export const getTrouble = async (): Promise<string | null> => {
	const answer = await get<JsonObject>('unlock').catch(() => null);
	return typeof answer?.['trouble'] === 'string' ? answer['trouble'] : null;
};

/**
 * What the server's machine says that its boot measured; null where it has nothing to say, or says it wrong. It decides
 * nothing, so its lack is no failure of a round.
 */
export const getBootLog = async (): Promise<string | null> => {
	const answer = await get<JsonObject>('boot-log').catch(() => null);
	return typeof answer?.['boot_log'] === 'string' ? answer['boot_log'] : null;
};

/** How the server is set up. */
export const getConfig = async (): Promise<TeeConfig> => asConfig(await get<TeeConfig>('config'));
