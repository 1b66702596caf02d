/** The verifier behind its worker: loaded once, given up in time, and every failure is a sentence. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clause } from '../../src/shared/sentence.js';

type Message = { id: number; method: string; params: unknown[] };

class FakeWorker {
	static made: FakeWorker[] = [];
	messages: Message[] = [];
	terminated = false;
	onmessage: (event: { data: unknown }) => void = () => undefined;
	onerror: () => void = () => undefined;
	constructor(
		readonly url: URL,
		readonly options: object
	) {
		FakeWorker.made.push(this);
	}
	postMessage(message: Message) {
		this.messages.push(message);
	}
	terminate() {
		this.terminated = true;
	}
}

const opened = async () => {
	vi.resetModules();
	FakeWorker.made = [];
	return await import('../../src/client/engine.js');
};
const made = (at = 0) => FakeWorker.made[at]!;

beforeEach(() => {
	vi.useFakeTimers();
	vi.stubGlobal('Worker', FakeWorker);
});
afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

test('one worker answers by id, in any order', async () => {
	const { ask, warmUp } = await opened();
	warmUp();
	const nonce = ask('newNonce', []);
	const read = ask('readBundle', ['{}']);
	expect(FakeWorker.made.length).toBe(1);
	expect([made().url.pathname.replace(/.*\/(\w+)\.[jt]s$/, '$1'), made().options]).toEqual(['verifier', { type: 'module' }]);
	expect(made().messages).toEqual([
		{ id: 1, method: 'newNonce', params: [] },
		{ id: 2, method: 'readBundle', params: ['{}'] }
	]);
	made().onmessage({ data: { id: 99, result: 'of nobody' } });
	made().onmessage({ data: { id: 2, result: 'two' } });
	made().onmessage({ data: { id: 2, result: 'twice' } });
	made().onmessage({ data: { id: 1, result: 'one' } });
	expect(await Promise.all([nonce, read])).toEqual(['one', 'two']);
});

test("the verifier's reason is kept, to be translated", async () => {
	const { ask } = await opened();
	const asked = ask('parseReferences', ['{']);
	const reason = clause('their version is not 1');
	made().onmessage({ data: { id: 1, error: 'their version is not 1', reason } });
	await expect(asked).rejects.toMatchObject({
		message: 'The verifier gave up: their version is not 1',
		clause: { text: 'The verifier gave up: {{reason}}', values: { reason } }
	});
});

test.each<[string, (worker: FakeWorker) => void, string]>([
	['cannot be loaded', (worker) => worker.onerror(), 'The verifier could not be loaded.'],
	['takes too long', () => vi.advanceTimersByTime(15_000), 'The verifier did not finish in time.']
])('a worker that %s is given up, with all that waits for it, and the next call makes another', async (_, fail, sentence) => {
	const { ask } = await opened();
	const waiting = [ask('newNonce', []), ask('newNonce', [])];
	const refused = Promise.all(waiting.map((one) => expect(one).rejects.toMatchObject({ message: sentence })));
	fail(made());
	await refused;
	expect(made().terminated).toBe(true);
	const next = ask('newNonce', []);
	made(0).onmessage({ data: { id: 3, result: 'of the old worker' } });
	made(1).onmessage({ data: { id: 3, result: 'of the new one' } });
	expect(await next).toBe('of the new one');
});
