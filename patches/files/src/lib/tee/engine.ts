/**
 * The verifier in its worker. Loaded when the first round asks for it, so the chat page never waits for
 * it, and a quote's signatures are checked beside the page's own thread.
 */
import { RoundError } from './sentence';

const TIMEOUT_MS = 15_000;

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
	const fresh = new Worker(new URL('./verifier.js', import.meta.url), { type: 'module' });
	fresh.onmessage = ({ data }) => {
		const waiting = pending.get(data?.id);
		if (!waiting) return;
		pending.delete(data.id);
		clearTimeout(waiting.timer);
		if ('error' in data) {
			const reason = data.reason ?? String(data.error?.message ?? data.error);
			waiting.reject(new RoundError('The verifier gave up: {{reason}}', { reason }));
		} else {
			waiting.resolve(data.result);
		}
	};
	fresh.onerror = () => abandon(new RoundError('The verifier could not be loaded.'));
	return fresh;
};

/** Ask the verifier; rejects with one sentence when it fails, cannot be loaded, or takes too long. */
export const ask = <T>(method: string, params: unknown): Promise<T> => {
	worker ??= start();
	const target = worker;
	const id = ++lastId;
	return new Promise<T>((resolve, reject) => {
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
