/** The first administrator's key: out of the address, and along with signing up. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { bringKey } from '../../src/client/first.js';

const sent = vi.fn<(input: unknown, init?: RequestInit) => Promise<Response>>();
const replaced = vi.fn();

const kept = new Map<string, string>();
const storage = {
	getItem: (name: string) => kept.get(name) ?? null,
	setItem: (name: string, value: string) => void kept.set(name, value),
	removeItem: (name: string) => void kept.delete(name)
};

const open = (hash: string, sessionStorage: unknown = storage) => {
	vi.stubGlobal('document', { baseURI: 'https://chat.example/auth' });
	vi.stubGlobal('window', {
		location: { hash, pathname: '/auth', search: '?redirect=/', origin: 'https://chat.example' },
		history: { state: null, replaceState: replaced },
		fetch: sent,
		get sessionStorage() {
			if (!sessionStorage) throw new Error('storage is switched off');
			return sessionStorage;
		}
	});
	bringKey();
};

const headerOf = (init?: RequestInit) => new Headers(init?.headers).get('X-First-Administrator');

beforeEach(() => {
	kept.clear();
	sent.mockResolvedValue(new Response('{}', { status: 403 }));
});

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

test('it outlives another load of the page, until somebody is signed up', async () => {
	open('#administrator=the-key');
	open('');
	await window.fetch('/api/v1/auths/signup', { method: 'POST' });
	expect(headerOf(sent.mock.lastCall?.[1])).toBe('the-key');
	open('');
	sent.mockResolvedValue(new Response('{}'));
	await window.fetch('/api/v1/auths/');
	expect(kept.size).toBe(1);
	await window.fetch('/api/v1/auths/signup', { method: 'POST' });
	expect(headerOf(sent.mock.lastCall?.[1])).toBe('the-key');
	expect(kept.size).toBe(0);
});

test('the link of a later start takes the place of an earlier one', async () => {
	open('#administrator=the-key');
	open('#administrator=the-next');
	await window.fetch('/api/v1/auths/signup', { method: 'POST' });
	expect(headerOf(sent.mock.lastCall?.[1])).toBe('the-next');
});

test('where nothing can be stored, this page has it', async () => {
	open('#administrator=the-key', null);
	await window.fetch('/api/v1/auths/signup', { method: 'POST' });
	expect(headerOf(sent.mock.lastCall?.[1])).toBe('the-key');
});
