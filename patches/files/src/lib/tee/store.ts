/**
 * Rounds of attestation: a fresh nonce, the server's evidence, the verifier's judgement.
 *
 * A round starts by forgetting the verdict before it, and only the newest round may set one, so an old
 * verdict never survives a New Chat, a failed round or a slow answer.
 */
import { get, writable } from 'svelte/store';

import { getCollateral, getConfig, getEvidence } from './api';
import { appraise, appraiseFile } from './appraise';
import { ask, warmUp } from './engine';
import { recall, remember } from './memory';
import { english, sentenceOf } from './sentence';
import { chosenService, consult } from './service';
import type {
	Bundle,
	Collateral,
	Difference,
	Report,
	Sentence,
	Shield,
	Snapshot,
	TeeConfig,
	Timings
} from './types';

export type State = {
	phase: 'idle' | 'checking' | 'done' | 'failed';
	/** Why there is no verdict, when a round failed. */
	failure: Sentence | null;
	/** What was judged and how; of the newest round only. */
	report: Report | null;
	bundle: Bundle | null;
	collateralFailure: Sentence | null;
	timings: Timings;
	finishedAt: number;
};

const NOTHING: State = {
	phase: 'idle',
	failure: null,
	report: null,
	bundle: null,
	collateralFailure: null,
	timings: {},
	finishedAt: 0
};

export const state = writable<State>(NOTHING);
export const config = writable<TeeConfig | null>(null);
/** A bundle opened from a file, shown in the panel beside the server's own verdict, never instead of it. */
export const opened = writable<State | null>(null);

/** No server may make a verdict last longer than this, whatever it proposes. */
const MAX_AGE_S = 3600;
const RETRY_S = 5;

let round = 0;
let running: Promise<void> | null = null;
let scheduled: number | undefined;
let stale = false;

/** 32 fresh random bytes, base64url without padding. `getRandomValues` also exists on plain http pages. */
const freshNonce = (): string =>
	btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
		.replace(/\+/g, '-')
		.replace(/\//g, '_')
		.replace(/=+$/, '');

/** Time a promise, writing its milliseconds under `name` also when it fails. */
const timed = async <T>(timings: Timings, name: string, work: Promise<T>): Promise<T> => {
	const start = performance.now();
	try {
		return await work;
	} finally {
		timings[name] = Math.round(performance.now() - start);
	}
};

const collect = async (nonce: string, timings: Timings) => {
	let collateralFailure: Sentence | null = null;
	const [evidence, collateral, settings] = await Promise.all([
		timed(timings, 'quote', getEvidence(nonce)),
		timed(timings, 'collateral', getCollateral()).catch((error): Collateral | null => {
			collateralFailure = sentenceOf(error);
			return null;
		}),
		getConfig().catch(() => null)
	]);
	if (settings) config.set(settings);
	const service = chosenService(recall(), get(config));
	const asked = service && (await timed(timings, 'service', consult(service, evidence)));
	const bundle: Bundle = {
		v: 1,
		time: new Date().toISOString(),
		nonce,
		connected: { origin: window.location.origin },
		evidence,
		collateral,
		service_tokens: asked?.tokens ?? []
	};
	return { bundle, collateralFailure, service: asked?.choice ?? null };
};

const run = async (mine: number) => {
	const timings: Timings = {};
	const start = performance.now();
	const finish = (change: Partial<State>) => {
		if (mine !== round) return;
		timings.total = Math.round(performance.now() - start);
		state.set({ ...NOTHING, timings, finishedAt: Date.now(), ...change });
		log(get(state));
	};
	try {
		warmUp();
		const { bundle, collateralFailure, service } = await collect(freshNonce(), timings);
		const report = await timed(timings, 'verify', appraise(bundle, recall(), service));
		if (mine === round) keepSeen(report.seen);
		finish({ phase: 'done', report, bundle, collateralFailure });
	} catch (error) {
		finish({ phase: 'failed', failure: sentenceOf(error) });
	}
};

const keepSeen = (seen: Record<string, unknown>) => {
	try {
		remember({ seen });
	} catch (error) {
		console.warn('tee: this browser keeps no data for this site', error);
	}
};

/** Start a round now and forget the verdict before it. Resolves when this round, or a newer one, ends. */
export const startRound = (): Promise<void> => {
	window.clearTimeout(scheduled);
	scheduled = undefined;
	stale = false;
	const mine = ++round;
	state.set({ ...NOTHING, phase: 'checking' });
	const work: Promise<void> = run(mine).then(() => (mine === round ? undefined : (running ?? undefined)));
	running = work;
	return work;
};

/** Counts New Chats, for whoever keeps something per chat. */
export const newChats = writable(0);

/** A New Chat: the verdict goes at once; calls that upstream makes twice in a row share one round. */
export const newChat = () => {
	round++;
	running = null;
	state.set({ ...NOTHING, phase: 'checking' });
	window.clearTimeout(scheduled);
	scheduled = window.setTimeout(startRound, 0);
	newChats.update((n) => n + 1);
};

/** Run the first round unless one has been asked for. */
export const ensureRound = () => {
	if (get(state).phase === 'idle') newChat();
};

/** The connection broke: the server that comes back may be another one. */
export const distrust = () => {
	stale = true;
};

/** A failed round is repeated sooner: the next message may find the server well again. */
const tooOld = (now: State): boolean => {
	const age = (Date.now() - now.finishedAt) / 1000;
	const limit = now.phase === 'failed' ? RETRY_S : Math.min(get(config)?.max_age_s ?? 300, MAX_AGE_S);
	return age > limit || age < 0;
};

/** A verdict that may still be relied on: waits for a running round, runs one where the last is stale. */
export const freshState = async (): Promise<State> => {
	if (scheduled !== undefined) await startRound();
	else if (running && get(state).phase === 'checking') await running;
	const now = get(state);
	if (now.phase === 'idle' || stale || tooOld(now)) await startRound();
	return get(state);
};

/** The shield's colour: green only for a verdict that says verified, of a round that ended. */
export const shieldOf = (now: State): Shield => {
	if (now.phase !== 'done' || !now.report) return 'red';
	switch (now.report.overall) {
		case 'verified':
			return 'green';
		case 'incomplete':
		case 'simulated':
			return 'amber';
		default:
			return 'red';
	}
};

/** Details for whoever looks at the console; nothing in them is secret. */
const log = (now: State) => {
	const { report, bundle, failure, timings } = now;
	console.groupCollapsed(`tee: ${report?.overall ?? (failure && english(failure))}`);
	console.table(report?.checks.map(({ id, status, detail }) => ({ id, status, detail })) ?? []);
	console.log({ measurements: report?.facts.quote, bundle, failure, timings });
	console.groupEnd();
};

/** Measurements may be trusted once every check of the quote and of its binding has passed. */
export const mayTrust = (now: State): boolean =>
	now.phase === 'done' &&
	(now.report?.checks ?? [])
		.filter(({ id }) => /^(quote|binding)\./.test(id))
		.every(({ status }) => status === 'pass');

/** What to keep of the evidence on show, for comparing later. */
export const snapshot = (bundle: Bundle): Promise<Snapshot> =>
	ask('trustSnapshot', [bundle, new Date().toISOString()]);

/** What differs between what was trusted and the evidence on show. */
export const changesSince = (trusted: Snapshot, bundle: Bundle): Promise<Difference[]> =>
	ask('compareTrusted', [trusted, bundle]);

/** Judge a bundle from a file's text and show it beside the server's own verdict. */
export const checkFile = async (text: string) => {
	const timings: Timings = {};
	const [bundle, report] = await timed(timings, 'verify', appraiseFile(text, recall()));
	opened.set({ ...NOTHING, phase: 'done', report, bundle, timings, finishedAt: Date.now() });
};

/** Hand the evidence on show to the person as a file that both verifiers read. */
export const saveBundle = async () => {
	const { bundle } = get(state);
	if (!bundle) return;
	const text = await ask<string>('writeBundle', [bundle]);
	const link = document.createElement('a');
	link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
	link.download = `evidence-${bundle.time.replace(/[:.]/g, '-')}.json`;
	link.click();
	URL.revokeObjectURL(link.href);
};
