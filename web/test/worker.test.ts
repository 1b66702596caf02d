import { expect, test } from 'vitest';
import { call } from '../src/verifier/worker.js';
import { goodBundle, NOW } from './helpers.js';

test('answers by id', async () => {
	expect(await call({ id: 7, method: 'newNonce', params: [] })).toMatchObject({
		id: 7,
		result: expect.stringMatching(/^[\w-]{43}$/)
	});
	const answer = await call({ id: 'a', method: 'verify', params: [{ bundle: goodBundle(), now: NOW }] });
	expect(answer).toMatchObject({ id: 'a', result: { overall: 'simulated' } });
	expect(structuredClone(answer), 'survives postMessage').toEqual(answer);
});

test('errors are sentences, and no other property can be called', async () => {
	expect(await call({ id: 1, method: 'parseQuote', params: ['00'] })).toEqual({
		id: 1,
		error: expect.stringContaining('ends inside version'),
		reason: {
			text: 'the {{what}} ends inside {{field}}: it has {{actual}} of the {{expected}} bytes needed',
			values: { what: { text: 'quote', values: {} }, field: 'version', expected: 2, actual: 1 }
		}
	});
	expect(await call({ id: 2, method: 'constructor' as never, params: [] })).toEqual({
		id: 2,
		error: 'There is no method constructor.',
		reason: { text: '{{message}}', values: { message: 'There is no method constructor.' } }
	});
});
