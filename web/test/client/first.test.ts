/** The first administrator's key: out of the address, and along with signing up. */

import { afterEach, expect, test, vi } from 'vitest';
import { bringKey } from '../../src/client/first.js';

const sent = vi.fn<(input: unknown, init?: RequestInit) => Promise<Response>>();
const replaced = vi.fn();

const open = (hash: string) => {
	vi.stubGlobal('document', { baseURI: 'https://chat.example/auth' });
	vi.stubGlobal('window', {
		location: { hash, pathname: '/auth', search: '?redirect=/', origin: 'https://chat.example' },
		history: { state: null, replaceState: replaced },
		fetch: sent
	});
	bringKey();
};

const headerOf = (init?: RequestInit) => new Headers(init?.headers).get('X-First-Administrator');

afterEach(() => {
	vi.unstubAllGlobals();
	vi.clearAllMocks();
});

test('it leaves the address and goes with signing up alone', async () => {
	open('#administrator=the-key');
	expect(replaced).toHaveBeenCalledWith(null, '', '/auth?redirect=/');
	await window.fetch('/api/v1/auths/signup', { method: 'POST', headers: { Authorization: 'x' } });
	await window.fetch(new Request('https://chat.example/api/v1/auths/signin', { method: 'POST' }));
	await window.fetch('/api/v1/chats/');
	await window.fetch('https://elsewhere.example/api/v1/auths/signup');
	expect(sent.mock.calls.map(([, init]) => headerOf(init))).toEqual(['the-key', 'the-key', null, null]);
	expect(new Headers(sent.mock.calls[0]?.[1]?.headers).get('Authorization')).toBe('x');
});

test('without one nothing changes', () => {
	open('#token=abc');
	expect(replaced).not.toHaveBeenCalled();
	expect(window.fetch).toBe(sent);
});
