/** The library behind messages: `{id, method, params}` in, `{id, result}` or `{id, error}` out. */

import { Certificate } from '@peculiar/asn1-x509';
import { AsnParser } from './asn1-cache.js';
import { attributes } from './attributes.js';
import { newNonce } from '../shared/nonce.js';
import { reportData } from './runtime-data.js';
import { sha256 } from './hash.js';
import { ec } from './elliptic.js';
import { replay } from './event-log.js';
import { readBundle, writeBundle } from '../shared/evidence.js';
import { parseQuote } from './quote.js';
import { reasonOf } from './reason.js';
import type { Clause } from '../shared/sentence.js';
import { parseReferences } from './references.js';
import { ROOTS } from './roots.js';
import { canTrust } from '../shared/verdict.js';
import { shortCode } from './short-code.js';
import { compareTrusted, trustSnapshot } from './trust.js';
import { shield } from '../shared/verdict.js';
import { certificateChain, verify, verifyQuote } from './verify.js';

/** What a worker answers to; `params` is the list of the function's arguments. */
export const methods = {
	verify,
	verifyQuote,
	parseQuote,
	attributes,
	certificateChain,
	replay,
	reportData,
	newNonce,
	shield,
	canTrust,
	trustSnapshot,
	compareTrusted,
	shortCode,
	readBundle,
	writeBundle,
	parseReferences
} as const;

export interface Request {
	id: number | string;
	method: keyof typeof methods;
	params: unknown[];
}
/** `reason` is the error so that it can be translated. */
export type Response = { id: Request['id']; result: unknown } | { id: Request['id']; error: string; reason: Clause };

/** Answer one request; an error is one sentence. */
export async function call({ id, method, params }: Request): Promise<Response> {
	try {
		if (!Object.hasOwn(methods, method)) throw new Error(`There is no method ${String(method)}.`);
		const run = methods[method] as (...args: unknown[]) => unknown;
		return { id, result: await run(...params) };
	} catch (error) {
		return { id, error: error instanceof Error ? error.message : String(error), reason: reasonOf(error) };
	}
}

interface WorkerScope {
	addEventListener(type: 'message', listener: (event: MessageEvent<Request>) => void): void;
	postMessage(message: Response): void;
}

/**
 * Do once what every verification begins with, while the page still waits for its quote: reading a certificate and
 * verifying a signature, with the tables that this needs.
 */
function warmUp(): void {
	for (const { der } of ROOTS) {
		const { tbsCertificate, signatureValue, tbsCertificateRaw } = AsnParser.parse(der, Certificate) as Certificate;
		const key = new Uint8Array(tbsCertificate.subjectPublicKeyInfo.subjectPublicKey);
		new ec('p256')
			.keyFromPublic(key)
			.verify(sha256(new Uint8Array(tbsCertificateRaw!)), new Uint8Array(signatureValue));
	}
}

/** Begin to answer messages, if this is a dedicated worker; elsewhere nothing happens. */
export function listen(): void {
	const kind = (globalThis as { DedicatedWorkerGlobalScope?: new () => unknown }).DedicatedWorkerGlobalScope;
	if (kind === undefined || !(globalThis instanceof kind)) return;
	const scope = globalThis as unknown as WorkerScope;
	setTimeout(warmUp);
	scope.addEventListener('message', (event) => void call(event.data).then((answer) => scope.postMessage(answer)));
}
