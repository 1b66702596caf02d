/** What the browser remembers: whole, of this origin, and nothing where it is malformed. */

import { afterEach, expect, test, vi } from 'vitest';
import { recall, remember } from '../../src/client/memory.js';

const EMPTY = { v: 1, trusted: null, references: null, seen: null, service: null, administrator: false, channel: false, gate: null };

afterEach(() => {
	vi.restoreAllMocks();
	localStorage.clear();
});

test.each([null, '', 'x', 'null', '7', '"v"', '[]', '{}', '{"v": 2, "administrator": true}', '{"v": "1", "administrator": true}'])(
	'%j is nothing remembered',
	(text) => {
		if (text !== null) localStorage.setItem('tee-memory', text);
		expect(recall()).toEqual(EMPTY);
	}
);

test('a browser that forbids reading remembers nothing', () => {
	vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
		throw new DOMException('denied', 'SecurityError');
	});
	expect(recall()).toEqual(EMPTY);
});

test('a change keeps the rest, and is there the next time', () => {
	expect(remember({ gate: 'block' })).toEqual({ ...EMPTY, gate: 'block' });
	expect(remember({ administrator: true })).toEqual({ ...EMPTY, gate: 'block', administrator: true });
	expect(recall()).toEqual({ ...EMPTY, gate: 'block', administrator: true });
	remember({ gate: null });
	expect(recall().gate).toBeNull();
});

test('what an older page kept lacks nothing', () => {
	localStorage.setItem('tee-memory', '{"v": 1, "gate": "warn"}');
	expect(recall()).toEqual({ ...EMPTY, gate: 'warn' });
});

test('nothing that is recalled is shared', () => {
	recall().administrator = true;
	expect(recall().administrator).toBe(false);
});

test('where the browser keeps nothing, whoever asks is told', () => {
	vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
		throw new DOMException('full', 'QuotaExceededError');
	});
	expect(() => remember({ administrator: true })).toThrow('full');
	expect(recall()).toEqual(EMPTY);
});
