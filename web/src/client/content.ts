/**
 * Which requests carry what a person typed, said or attached. Everything that is not named here as
 * harmless counts as content: a request that nobody thought of is held back, not let through.
 */

/** What a request carries, as the question before sending names it. */
export type Kind = 'message' | 'file' | 'recording' | 'settings' | 'password' | 'text';

/** Paths by what they carry, the first that fits; whatever is left is text that somebody typed. */
const KINDS: [path: RegExp, kind: Kind][] = [
	[/^\/api\/v1\/auths\/(signin|signup|ldap|add|update\/password)$/, 'password'],
	[/^\/api\/v1\/(files|retrieval\/process)\b/, 'file'],
	[/^\/api\/v1\/audio\/transcriptions$/, 'recording'],
	[/^\/api\/v1\/users\/user\/settings\b|\/config(s\/|\b)/, 'settings'],
	[/^\/api\/(chat|tasks|v1\/(chats|channels|tasks))\b|^\/(ollama|openai|ws)\b/, 'message']
];

/** What a request with content to `url` of this server carries. */
export const kindOf = (url: URL, here: string): Kind =>
	url.origin === here ? (KINDS.find(([path]) => path.test(url.pathname))?.[1] ?? 'text') : 'text';

/** Requests that change something without carrying content: paths of this server, by method. */
const HARMLESS: [method: RegExp, path: RegExp][] = [
	[/^POST$/, /^\/api\/v1\/auths\/signout$/],
	[/^(GET|POST)$/, /^\/api\/v1\/tee\/\w+$/],
	[/^POST$/, /^\/api\/tasks\/stop\/[\w-]+$/],
	[/^POST$/, /^\/api\/v1\/chats\/[\w-]+\/(pin|archive|share)$/],
	[/^POST$/, /^\/api\/v1\/folders\/[\w-]+\/update\/(expanded|parent|items)$/]
];

/** Parameters by which a GET would carry typed text. */
const TELLING = ['text', 'q', 'query', 'search', 'prompt', 'content', 'message', 'email'];

/** Settings whose words come from lists and not from the person: names of models and voices, sizes, directions. */
const CHOSEN_SETTINGS = [
	'audio',
	'chatDirection',
	'imageCompressionSize',
	'landingPageMode',
	'models',
	'pinnedModels',
	'version',
	'webSearch'
];

const isEmpty = (value: unknown): boolean =>
	value === null ||
	value === undefined ||
	value === '' ||
	typeof value === 'boolean' ||
	typeof value === 'number' ||
	(typeof value === 'object' && Object.values(value).every(isEmpty));

/**
 * Saving the interface's settings is harmless as long as all others are switches and numbers: they may hold a prompt, a
 * picture, an address with a secret in it, keys.
 */
const harmlessSettings = (path: string, body: unknown): boolean => {
	if (path !== '/api/v1/users/user/settings/update' || typeof body !== 'string') return false;
	try {
		const { ui } = (JSON.parse(body) ?? {}) as { ui?: object };
		return Object.entries(ui ?? {}).every(([name, value]) => CHOSEN_SETTINGS.includes(name) || isEmpty(value));
	} catch {
		return false;
	}
};

/** Whether an HTTP request carries content. `body` decides only where the path alone cannot. */
export const requestCarriesContent = (
	method: string,
	url: URL,
	here: string,
	body?: unknown
): boolean => {
	const verb = method.toUpperCase();
	const telling = TELLING.some((name) => url.searchParams.get(name));
	if (verb === 'GET' || verb === 'HEAD') return telling;
	if (verb === 'OPTIONS') return false;
	if (url.origin !== here) return true;
	if (verb === 'DELETE' && !body) return telling;
	// socket.io's polling transport: its packets are judged one by one
	if (url.pathname === '/ws/socket.io/') return packetsCarryContent(body);
	const harmless = HARMLESS.some(([m, path]) => m.test(verb) && path.test(url.pathname));
	return !(harmless || harmlessSettings(url.pathname, body));
};

const HARMLESS_EVENTS = ['user-join', 'usage', 'join-channels', 'user-list'];

/** Someone is typing: says that, not what. */
const isTyping = (data: unknown): boolean => {
	const inner = (data as { data?: { type?: string; data?: object } })?.data;
	return (
		inner?.type === 'typing' && Object.values(inner.data ?? {}).every((v) => typeof v === 'boolean')
	);
};

const packetCarriesContent = (packet: string): boolean => {
	// engine.io: open, close, ping, pong, upgrade, noop; socket.io: connect, disconnect
	if (/^[01356]/.test(packet) || /^2(probe)?$/.test(packet)) return packet.length > 32;
	if (/^4[01]/.test(packet)) return false;
	const event = /^42(?:\/[^,]*,)?\d*(\[.*)$/s.exec(packet);
	if (event?.[1] === undefined) return true;
	try {
		const [name, data] = JSON.parse(event[1]) as [string, unknown];
		return !(HARMLESS_EVENTS.includes(name) || (name === 'channel-events' && isTyping(data)));
	} catch {
		return true;
	}
};

/** Whether what goes into a socket carries content: one packet, or several joined by the polling transport. */
export const packetsCarryContent = (body: unknown): boolean =>
	typeof body !== 'string' || body.split('\x1e').some(packetCarriesContent);
