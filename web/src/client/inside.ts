/**
 * The encrypted channel (docs/channel.md): which requests go through it, and to which key they are sealed.
 *
 * The key is the one that proven evidence binds as `runtime_data.channel`; nothing that the server merely says decides
 * for it. Once it was there, this page sends nothing outside any more, nor does the next one until evidence proves that there
 * is no channel.
 */
import { get } from 'svelte/store';

import type { KeyConfig } from '../channel.js';
import { fromBase64url } from '../shared/bytes.js';
import { clause, Reason, type Clause } from '../shared/sentence.js';
import { throughConnect } from './connect.js';
import { getConfig } from './server.js';
import { config, freshState, startRound, state } from './rounds.js';
import { recall, remember } from './memory.js';
import type { State } from './state.js';

/** Why something did not go through the channel; nothing of it went outside instead. */
export class ChannelError extends Reason {}

type Library = typeof import('../channel.js');
export interface Channel {
	library: Library;
	key: KeyConfig;
	/** The key as the evidence has it. */
	text: string;
}

/** Files of the release, which everybody may read, and what says who the server is. */
const STATIC = /^\/(_app|static|assets|audio|pyodide|tee|themes)\/[^%]*$/;
/** Public, and asked before there is a key. Who becomes the first administrator is a secret of the web server's. */
const ATTESTATION = /^\/api\/v1\/tee\/(?!administrator)[\w-]+$/;

/** Whether what is asked of `url` belongs inside: everything of this server that is no file of the release, nor evidence. */
export const belongsInside = (url: URL): boolean =>
	url.host === window.location.host &&
	/^(https?|wss?):$/.test(url.protocol) &&
	!(STATIC.test(url.pathname) && url.search === '') &&
	!ATTESTATION.test(url.pathname);

/** Checks without which nobody says that the key is this server's. */
const NEEDED = ['quote.format', 'quote.signature', 'binding.nonce', 'binding.channel'];

/** A service that was genuine once, for this browser, is not taken for itself when it is imitated in software. */
const imitated = ({ report }: State): boolean =>
	(report?.checks.some(({ key }) => key === 'tee.check.tee.real.simulated') ?? true) &&
	(recall().seen?.intel.tcb_evaluation_data_number ?? 0) > 0;

/** The key that the evidence of a round proves to be the server's; null: it proves that there is none; undefined: nothing. */
export const provenKey = (now: State): string | null | undefined => {
	const { report, bundle } = now;
	if (now.phase !== 'done' || !report || !bundle || imitated(now)) return undefined;
	if (report.checks.some(({ id, status }) => status === 'fail' && NEEDED.includes(id))) return undefined;
	const bound = (bundle.evidence['runtime_data'] as { channel?: unknown } | null)?.channel;
	return typeof bound === 'string' ? bound : null;
};

/** What is proven is kept for the next visit: whoever drops the evidence then gets nothing outside instead. */
const keep = (there: boolean): void => {
	try {
		if (recall().channel !== there) remember({ channel: there });
	} catch {
		// this browser keeps nothing: the next visit begins as the first one did
	}
};

let text: string | null = null;
let held: Promise<Channel> | null = null;
/** Once the channel was there, nothing goes outside any more. */
let used = false;

/** Begin to load it while the server prepares its quote. */
const warmUp = (): void => {
	import('../channel.js').then(({ suite }) => suite()).catch(() => undefined);
};

const load = async (key: string): Promise<Channel> => {
	const library = await import('../channel.js').catch(() => {
		throw new ChannelError('The encrypted channel could not be loaded.');
	});
	try {
		return { library, key: library.decodeKeyConfig(fromBase64url(key)), text: key };
	} catch {
		throw new ChannelError('The key of the encrypted channel cannot be used by this version of the page.');
	}
};

state.subscribe((now) => {
	// a round that runs, or failed, says nothing against the key of the one before
	if (now.phase !== 'done') return;
	const found = provenKey(now);
	if (found !== undefined) keep(found !== null);
	const proven = found ?? null;
	if (proven === text) return;
	text = proven;
	used ||= proven !== null;
	held = proven === null ? null : load(proven);
	held?.catch(() => undefined); // whoever asks for it is told
});

let asked: Promise<void> | null = null;

/** Ask once, at the beginning, whether there is a channel at all. */
const configured = (): Promise<void> =>
	(asked ??= getConfig().then(
		(settings) => config.update((known) => known ?? settings),
		() => void (asked = null)
	));

const mode = () => get(config)?.channel ?? null;
const expected = () => used || recall().channel;
const optional = () => !expected() && (mode() === 'off' || mode() === 'offer');

/** Whether it is known already that requests leave as they are, also to `quote-verifier connect`, which seals them. */
export const isOff = (): boolean => throughConnect() || (!expected() && mode() === 'off');

const whyNot = (): Clause =>
	get(state).failure ??
	(recall().channel
		? clause('Nothing was sent: this service had an encrypted channel, and no evidence proves its key now, nor that there is none any more.')
		: clause('Nothing was sent: no evidence proves the key of the encrypted channel.'));

/**
 * The channel, or null where the request may leave as it is: there is none, and none is required. Waits for the first
 * round. Throws ChannelError where nothing may leave.
 */
export const channel = async (): Promise<Channel | null> => {
	if (throughConnect()) return null;
	if (held) return held;
	if (!mode()) await configured();
	if (isOff()) return null;
	warmUp();
	await freshState();
	if (held) return held;
	if (optional()) return null;
	throw new ChannelError(whyNot());
};

let renewing: Promise<void> | null = null;

/** The server does not hold the key of `old` any more, or somebody says so: what fresh evidence names instead. */
export const renewed = async (old: Channel): Promise<Channel> => {
	if (text === old.text) await (renewing ??= startRound().finally(() => (renewing = null)));
	if (!held) throw new ChannelError(whyNot());
	const now = await held;
	if (now.text === old.text)
		throw new ChannelError(
			'The server is said not to hold the key that its evidence names: somebody on the way may have answered in its place.'
		);
	return now;
};
