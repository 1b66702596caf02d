/**
 * The verifier in its worker. Loaded when the first round asks for it, so the chat page never waits for
 * it, and a quote's signatures are checked beside the page's own thread.
 */
import type { methods, Response } from '../verifier.js';
import { RoundError } from './failure.js';

const TIMEOUT_MS = 15_000;

type Methods = typeof methods;

type Pending = { resolve: (result: unknown) => void; reject: (error: Error) => void; timer: number };

let worker: Worker | null = null;
let lastId = 0;
const pending = new Map<number, Pending>();

/** Forget the worker and fail what waits for it; the next call starts a new one. */
const abandon = (error: Error) => {
	worker?.terminate();
	worker = null;
	for (const { reject, timer } of pending.values()) {
		clearTimeout(timer);
		reject(error);
	}
	pending.clear();
};

const start = (): Worker => {
	const fresh = new Worker(new URL('../verifier.js', import.meta.url), { type: 'module' });
	fresh.onmessage = ({ data }: MessageEvent<Response>) => {
		const id = Number(data.id);
		const waiting = pending.get(id);
		if (!waiting || worker !== fresh) return; // a worker that was given up has nothing to say any more
		pending.delete(id);
		clearTimeout(waiting.timer);
		if ('error' in data) waiting.reject(new RoundError('The verifier gave up: {{reason}}', { reason: data.reason }));
		else waiting.resolve(data.result);
	};
	fresh.onerror = () => abandon(new RoundError('The verifier could not be loaded.'));
	return fresh;
};

/** Ask the verifier; rejects with one sentence when it fails, cannot be loaded, or takes too long. */
export const ask = <M extends keyof Methods>(
	method: M,
	params: Parameters<Methods[M]>
): Promise<Awaited<ReturnType<Methods[M]>>> => {
	worker ??= start();
	const target = worker;
	const id = ++lastId;
	return new Promise((resolve, reject) => {
		const timer = window.setTimeout(
			() => abandon(new RoundError('The verifier did not finish in time.')),
			TIMEOUT_MS
		);
		pending.set(id, { resolve: resolve as Pending['resolve'], reject, timer });
		target.postMessage({ id, method, params });
	});
};

/** Start loading the verifier while the server prepares its quote. */
export const warmUp = () => {
	worker ??= start();
};
