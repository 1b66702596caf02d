/** The three attestation endpoints. Every failure is one sentence that a person can act on. */
import { WEBUI_API_BASE_URL } from '$lib/constants';

import { recognise } from './answers';
import { RoundError } from './sentence';
import type { Collateral, Evidence, TeeConfig } from './types';

const TIMEOUT_MS = 20_000;

const explain = async (response: Response): Promise<RoundError> => {
	const body = await response.json().catch(() => null);
	const detail = recognise(typeof body?.detail === 'string' ? body.detail : response.statusText);
	if (response.status === 429) {
		const seconds = response.headers.get('Retry-After') ?? '60';
		return new RoundError('The server was asked too often; try again in {{seconds}} seconds.', {
			seconds
		});
	}
	if (response.status === 404) {
		return new RoundError('This server offers no attestation.');
	}
	if (response.status === 503) {
		return new RoundError('The server has no evidence to give now: {{detail}}', { detail });
	}
	return new RoundError('The server answered with status {{status}}: {{detail}}', {
		status: response.status,
		detail
	});
};

const get = async <T>(path: string): Promise<T> => {
	let response: Response;
	try {
		response = await fetch(`${WEBUI_API_BASE_URL}/tee/${path}`, {
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
	const body = await response.json().catch(() => null);
	if (body === null || typeof body !== 'object') {
		throw new RoundError('The server answered something that is not JSON.');
	}
	return body as T;
};

/** Evidence bound to `nonce` (32 bytes, base64url without padding). */
export const getEvidence = async (nonce: string): Promise<Evidence> => {
	const evidence = await get<Evidence>(`quote?nonce=${nonce}`);
	if (typeof evidence.quote !== 'string') {
		throw new RoundError('The server answered without a quote.');
	}
	return evidence;
};

/** Intel's collateral as this server relays it: signed by Intel, so the relay needs no trust. */
export const getCollateral = (): Promise<Collateral> => get<Collateral>('collateral');

/** How the server is set up. Unknown gates count as `block`, so that a damaged answer opens nothing. */
export const getConfig = async (): Promise<TeeConfig> => {
	const config = await get<TeeConfig>('config');
	const gate = ['off', 'warn', 'block'].includes(config.gate) ? config.gate : 'block';
	const age = Number(config.max_age_s);
	return { ...config, gate, max_age_s: Number.isFinite(age) && age > 0 ? age : 300 };
};
