/** Which requests and packets carry what a person typed, said or attached: everything but what is listed as harmless. */

import { describe, expect, test } from 'vitest';
import { kindOf, packetsCarryContent, requestCarriesContent } from '../../src/client/content.js';

const HERE = 'https://chat.example';
const SECRET = 'heron 4711';
const carries = (method: string, path: string, body?: unknown) =>
	requestCarriesContent(method, new URL(path, HERE), HERE, body);
const settings = (ui: object) => JSON.stringify({ ui });

describe('requests that carry content', () => {
	test.each([
		['a message', 'POST', '/api/chat/completions'],
		['an old chat saved', 'POST', '/api/v1/chats/new'],
		['a chat edited or renamed', 'POST', '/api/v1/chats/c-1'],
		['a tag', 'POST', '/api/v1/chats/c-1/tags'],
		['an import', 'POST', '/api/v1/chats/import'],
		['a title or tags made by a model', 'POST', '/api/v1/tasks/title/completions'],
		['a completion while typing', 'POST', '/api/v1/tasks/auto/completions'],
		['a merge of answers', 'POST', '/api/v1/tasks/moa/completions'],
		['a file', 'POST', '/api/v1/files/'],
		['a web page or video by its address', 'POST', '/api/v1/retrieval/process/web'],
		['a password, to sign in', 'POST', '/api/v1/auths/signin'],
		['a password, to sign up', 'POST', '/api/v1/auths/signup'],
		['a password of a directory', 'POST', '/api/v1/auths/ldap'],
		['a voice', 'POST', '/api/v1/audio/transcriptions'],
		['a text to be spoken', 'POST', '/api/v1/audio/speech'],
		['a message in a channel', 'POST', '/api/v1/channels/x/messages/post'],
		['a memory', 'POST', '/api/v1/memories/add'],
		['a profile', 'POST', '/api/v1/auths/update/profile'],
		['a folder', 'POST', '/api/v1/folders/'],
		["a folder's name", 'POST', '/api/v1/folders/f-1/update'],
		['a rating', 'POST', '/api/v1/evaluations/feedback'],
		['a document to be made', 'POST', '/api/v1/utils/pdf'],
		['code to be formatted', 'POST', '/api/v1/utils/code/format'],
		['a prompt', 'POST', '/api/v1/prompts/create'],
		['a knowledge base', 'POST', '/api/v1/knowledge/create'],
		['a tool', 'POST', '/api/v1/tools/create'],
		['a model', 'POST', '/api/v1/models/create'],
		['what nobody thought of', 'POST', '/api/v9/anything'],
		['another verb', 'PUT', '/api/v1/chats/c-1'],
		['a verb in small letters', 'post', '/api/chat/completions'],
		['a verb that nobody knows', 'QUERY', '/api/v1/auths/signout'],
		['a harmless path with more behind it', 'POST', '/api/v1/auths/signout/x'],
		['a harmless path below another', 'POST', '/x/api/v1/auths/signout'],
		['a harmless path by another verb', 'PUT', '/api/v1/auths/signout'],
		['another origin', 'POST', 'https://elsewhere.example/api/v1/auths/signout'],
		['the same host on another port', 'POST', 'https://chat.example:8443/api/v1/auths/signout'],
		['a deletion that carries a body', 'DELETE', '/api/v1/chats/c-1/tags']
	])('%s', (_, method, path) => expect(carries(method, path, SECRET)).toBe(true));

	test.each(['text', 'q', 'query', 'search', 'prompt', 'content', 'message', 'email'])('a read by its "%s"', (name) => {
		for (const method of ['GET', 'HEAD', 'get', 'DELETE'])
			expect(carries(method, `/api/v1/chats/search?${name}=heron`), method).toBe(true);
		expect(carries('GET', `/api/v1/chats/search?${name}=`)).toBe(false);
	});
});

test.each([
	['message', '/api/chat/completions'],
	['message', '/api/v1/chats/new'],
	['message', '/api/v1/channels/x/messages/post'],
	['message', '/ollama/api/chat'],
	['message', '/ws/socket.io/?EIO=4'],
	['file', '/api/v1/files/'],
	['file', '/api/v1/retrieval/process/web'],
	['recording', '/api/v1/audio/transcriptions'],
	['settings', '/api/v1/users/user/settings/update'],
	['settings', '/api/v1/audio/config/update'],
	['settings', '/openai/config/update'],
	['settings', '/api/v1/configs/banners'],
	['password', '/api/v1/auths/signin'],
	['password', '/api/v1/auths/update/password'],
	['text', '/api/v1/audio/speech'],
	['text', '/api/v1/auths/update/profile'],
	['text', '/api/v9/anything'],
	['text', 'https://elsewhere.example/api/v1/files/']
])('the question names a %s: %s', (kind, path) => expect(kindOf(new URL(path, HERE), HERE)).toBe(kind));

describe('requests that carry none', () => {
	test.each([
		['a read', 'GET', '/api/v1/chats/?page=1'],
		['a look', 'HEAD', '/api/v1/chats/'],
		['the browser asking what is allowed', 'OPTIONS', '/api/chat/completions'],
		['a deletion', 'DELETE', '/api/v1/chats/c-1'],
		['signing out', 'POST', '/api/v1/auths/signout'],
		['evidence', 'GET', '/api/v1/tee/quote?nonce=abc'],
		['stopping an answer', 'POST', '/api/tasks/stop/t-1'],
		['pinning a chat', 'POST', '/api/v1/chats/c-1/pin'],
		['opening a folder', 'POST', '/api/v1/folders/f-1/update/expanded']
	])('%s', (_, method, path) => expect(carries(method, path)).toBe(false));
});

describe('settings of the interface', () => {
	const path = '/api/v1/users/user/settings/update';
	test.each([
		['switches and numbers', { widescreenMode: true, size: 3, nothing: null, empty: '', list: [], inner: { a: false } }],
		['choices from lists', { models: ['smollm2:135m'], chatDirection: 'LTR', audio: { tts: { voice: 'x' } } }],
		['none', {}]
	])('%s are harmless', (_, ui) => expect(carries('POST', path, settings(ui))).toBe(false));

	test.each([
		['a system prompt', { system: SECRET }],
		['a picture', { backgroundImageUrl: 'data:image/png;base64,AA==' }],
		['an address with a secret', { notifications: { webhook_url: 'https://hooks.example/heron' } }],
		['a text deep inside', { params: { stop: [[SECRET]] } }],
		['a choice beside a text', { models: ['a'], system: SECRET }]
	])('%s is content', (_, ui) => expect(carries('POST', path, settings(ui))).toBe(true));

	test.each([
		['no text', new Blob(['{}'])],
		['nothing', undefined],
		['no JSON', '{'],
		['null', 'null']
	])('%s in the place of settings', (name, body) => expect(carries('POST', path, body)).toBe(name !== 'null'));

	test('of somebody else are content', () =>
		expect(carries('POST', '/api/v1/users/u-1/settings/update', settings({}))).toBe(true));
});

describe('packets of a socket', () => {
	test.each([
		['engine.io: ping', '2'],
		['engine.io: a probe', '2probe'],
		['engine.io: upgrade', '5'],
		['socket.io: connect', '40{"token":"a-session"}'],
		['socket.io: disconnect', '41'],
		['joining', '42["user-join",{"auth":{"token":"t"}}]'],
		['joining, to be acknowledged', '420["usage",{"action":"chat"}]'],
		['in a namespace', '42/admin,["user-list",{}]'],
		['somebody is typing', '42["channel-events",{"channel_id":"c","data":{"type":"typing","data":{"typing":true}}}]'],
		['two harmless ones', '2\x1e42["usage",{}]']
	])('%s: none', (_, packet) => expect(packetsCarryContent(packet)).toBe(false));

	test.each([
		['an event', `42["message","${SECRET}"]`],
		['an unknown event', `42["x",{}]`],
		['typing with words', `42["channel-events",{"data":{"type":"typing","data":{"text":"${SECRET}"}}}]`],
		['another event of a channel', '42["channel-events",{"data":{"type":"message"}}]'],
		['an acknowledgement', `43["${SECRET}"]`],
		['a binary event', `451-["x",{"_placeholder":true,"num":0}]`],
		['what is no JSON', '42[heron'],
		['a long ping', `3${'heron '.repeat(8)}`],
		['content behind a harmless one', `2\x1e42["message","${SECRET}"]`],
		['nothing of the kind', SECRET],
		['bytes', new Uint8Array([4, 7])]
	])('%s: content', (_, packet) => expect(packetsCarryContent(packet)).toBe(true));

	test('the polling transport is judged packet by packet, wherever it goes', () => {
		expect(carries('POST', '/ws/socket.io/?EIO=4', '40')).toBe(false);
		expect(carries('POST', '/ws/socket.io/?EIO=4', `42["message","${SECRET}"]`)).toBe(true);
		expect(carries('POST', 'https://elsewhere.example/ws/socket.io/', '40')).toBe(true);
	});
});
