/**
 * Rounds of attestation: a fresh nonce, the server's evidence, the verifier's judgement.
 *
 * A round starts by forgetting the verdict before it, and only the newest round may set one, so an old
 * verdict never survives a New Chat, a failed round or a slow answer.
 */
import { get, writable } from 'svelte/store';

import type { Connected, Evidence } from '../shared/evidence.js';
import { newNonce } from '../shared/nonce.js';
import { english, type Clause } from '../shared/sentence.js';
import { isObject, type Json } from '../shared/strict-json.js';
import { canTrust, shield, type Shield } from '../shared/verdict.js';
import type { SeenByRoot } from '../verifier.js';
import { appraise, explained } from './appraise.js';
import { maxAge, type TeeConfig } from './config.js';
import { judgedByConnect, throughConnect } from './connect.js';
import { warmUp } from './engine.js';
import { sentenceOf } from './failure.js';
import { recall, remember } from './memory.js';
import { getBootLog, getCollateral, getConfig, getEvidence, type QuoteAnswer } from './server.js';
import { chosenService, consult } from './service.js';
import { NOTHING, type State, type Timings } from './state.js';

export const state = writable<State>(NOTHING);
export const config = writable<TeeConfig | null>(null);
const RETRY_S = 5;

let round = 0;
let running: Promise<void> | null = null;
let scheduled: ReturnType<typeof setTimeout> | undefined;
let stale = false;

/** Time a promise, writing its milliseconds under `name` also when it fails. */
export const timed = async <T>(timings: Timings, name: string, work: Promise<T>): Promise<T> => {
	const start = performance.now();
	try {
		return await work;
	} finally {
		timings[name] = Math.round(performance.now() - start);
	}
};

/** Where the page is, and that it seals what it sends to the key that the evidence binds, where it binds one (`inside.ts`). */
const connectedTo = ({ runtime_data }: QuoteAnswer): Connected => {
	const sealed = !throughConnect() && isObject(runtime_data) && typeof runtime_data['channel'] === 'string';
	return { origin: window.location.origin, ...(sealed && { sealed: true }) };
};

const collect = async (nonce: string, timings: Timings) => {
	let collateralFailure: Clause | null = null;
	const [evidence, collateral, settings, bootLog] = await Promise.all([
		timed(timings, 'quote', getEvidence(nonce)),
		timed(timings, 'collateral', getCollateral()).catch((error: unknown): Json => {
			collateralFailure = sentenceOf(error);
			return null;
		}),
		getConfig().catch(() => null),
		explained(recall()) ? getBootLog() : null
	]);
	if (settings) config.set(settings);
	const service = chosenService(recall(), get(config));
	const asked = service && (await timed(timings, 'service', consult(service, evidence)));
	const bundle: Evidence = {
		v: 1,
		time: new Date().toISOString(),
		nonce,
		connected: connectedTo(evidence),
		evidence: bootLog === null ? evidence : { ...evidence, boot_log: bootLog },
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
		const { bundle, collateralFailure, service } = await collect(newNonce(), timings);
		const report = await timed(timings, 'verify', appraise(bundle, recall(), service));
		if (mine === round) keepSeen(report.seen);
		finish({ phase: 'done', report: await judgedByConnect(report), bundle, collateralFailure });
	} catch (error) {
		finish({ phase: 'failed', failure: sentenceOf(error) });
	}
};

const keepSeen = (seen: SeenByRoot) => {
	try {
		remember({ seen });
	} catch (error) {
		console.warn('tee: this browser keeps no data for this site', error);
	}
};

/** Start a round now and forget the verdict before it. Resolves when this round, or a newer one, ends. */
export const startRound = (): Promise<void> => {
	clearTimeout(scheduled);
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
	clearTimeout(scheduled);
	scheduled = setTimeout(() => void startRound(), 0);
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

/**
 * The connection is back: judge what answers there now, whether or not anybody is about to send something. A round since
 * the break is enough, but for one that failed: `anew` says that what was wrong then may be over now.
 */
export const reconnected = async (anew = false): Promise<void> => {
	if (anew && running && get(state).phase === 'checking') await running;
	const { phase } = get(state);
	if (phase !== 'checking' && (stale || (anew && phase === 'failed'))) await startRound();
};

/** A failed round is repeated sooner: the next message may find the server well again. */
const tooOld = (now: State): boolean => {
	const age = (Date.now() - now.finishedAt) / 1000;
	const limit = now.phase === 'failed' ? RETRY_S : maxAge(get(config));
	return age > limit || age < 0;
};

/** Whether the last verdict may be relied on without waiting for another. */
export const isFresh = (): boolean => {
	const now = get(state);
	return scheduled === undefined && (now.phase === 'done' || now.phase === 'failed') && !stale && !tooOld(now);
};

/** A verdict that may still be relied on: waits for a running round, runs one where the last is stale. */
export const freshState = async (): Promise<State> => {
	if (scheduled !== undefined) await startRound();
	else if (running && get(state).phase === 'checking') await running;
	const now = get(state);
	if (now.phase === 'idle' || stale || tooOld(now)) await startRound();
	return get(state);
};

/** What the gate decides by: the verifier's own rule, for a round that ended. */
export const shieldOf = (now: State): Shield => (now.phase === 'done' && now.report ? shield(now.report) : 'red');

/** Whether measurements may be trusted: the verifier's own rule, for a round that ended. */
export const mayTrust = (now: State): boolean => now.phase === 'done' && now.report !== null && canTrust(now.report);

/** Details for whoever looks at the console; nothing in them is secret. */
const log = (now: State) => {
	const { report, bundle, failure, timings } = now;
	console.groupCollapsed(`tee: ${report?.overall ?? (failure && english(failure))}`);
	console.table(report?.checks.map(({ id, status, detail }) => ({ id, status, detail })) ?? []);
	console.info({ measurements: report?.facts.quote, bundle, failure, timings });
	console.groupEnd();
};
