/**
 * The decision: may content leave this page now? The guard asks for every such request; the message box
 * asks beforehand, so that a refused message stays in the box.
 */

import { get } from 'svelte/store';
import { strictest, type Gate } from './config.js';
import type { Kind } from './content.js';
import { recall } from './memory.js';
import { page } from './page.js';
import { config, freshState, isFresh, newChats, shieldOf, state } from './rounds.js';
import type { State } from './state.js';

/** After a refusal, what the same click still wants to send is refused without asking again. */
const QUIET_MS = 1500;
/** How long a check may keep somebody waiting before they may choose. */
const PATIENCE_MS = 3000;
const NEW = 'new';

const accepted = new Set<string>();
let quietUntil = 0;
const asking = new Map<string, Promise<boolean>>();
let turn: Promise<void> = Promise.resolve();

/** The stricter of what the server proposes and what the person chose. */
export const gateInForce = (): Gate => strictest(get(config), recall().gate);

/** What a consent is for: one chat, or one page where there are no chats. */
const place = (): string => {
	const path = window.location.pathname;
	if (path !== '/' && !path.startsWith('/c/')) return path;
	const id = page().chat();
	return id && id !== 'local' ? id : NEW;
};

/** What a consent is for: messages and files of one place; settings, passwords and other text each for themselves. */
const subject = (kind: Kind): string =>
	kind === 'message' || kind === 'file' || kind === 'recording' ? place() : `${kind} ${place()}`;

/** A consent given in a new chat goes with it once the server has named it. */
export const chatNamed = (id: string) => {
	if (accepted.has(NEW)) accepted.add(id);
};

// A New Chat asks anew.
newChats.subscribe(() => accepted.delete(NEW));

/** One question at a time: the next one may be answered by the answer to the one before. */
const askOnce = (now: State, kind: Kind): Promise<boolean> => {
	const here = subject(kind);
	const running = asking.get(here);
	if (running) return running;
	const answer = turn.then(() => answered(here, now, kind)).finally(() => asking.delete(here));
	turn = answer.then(() => undefined, () => undefined);
	asking.set(here, answer);
	return answer;
};

const answered = async (here: string, now: State, kind: Kind): Promise<boolean> => {
	if (accepted.has(here)) return true;
	if (Date.now() < quietUntil) return false;
	const yes = await page().ask(now, kind);
	if (!yes) quietUntil = Date.now() + QUIET_MS;
	// a question that was answered by a green verdict is no consent to another one
	else if (shieldOf(get(state)) !== 'green') accepted.add(here);
	return yes;
};

/**
 * The verdict to decide by. Whoever waits for it is told; where they may decide for themselves they wait no longer than
 * `PATIENCE_MS`: then the verdict is not `checked`, and the one that is still to come is in what they are asked.
 */
const awaited = async (kind: Kind): Promise<{ now: State; checked: boolean }> => {
	const fresh = isFresh();
	const check = freshState();
	if (fresh) return { now: await check, checked: true };
	const arrived = page().wait(kind);
	let timer: ReturnType<typeof setTimeout> | undefined;
	try {
		const patience = new Promise<null>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS, null)));
		const first = await Promise.race([check, patience]);
		if (first === null && gateInForce() !== 'block') return { now: get(state), checked: false };
		return { now: first ?? (await check), checked: true };
	} finally {
		clearTimeout(timer);
		arrived();
	}
};

/** Whether content may leave now: waits for a verdict that is fresh, and asks the person where the gate says so. */
export const mayLeave = async (kind: Kind = 'message'): Promise<boolean> => {
	const { now, checked } = await awaited(kind);
	const gate = gateInForce();
	// an old green is none: whoever answers slowly may be another server by now
	if (gate === 'off' || (checked && shieldOf(now) === 'green')) return true;
	if (gate === 'warn') return askOnce(now, kind);
	page().refuse(now, kind);
	return false;
};

let sending = false;

/** For the message box: the same decision, taken before the box is emptied; a second Enter meanwhile sends nothing. */
export const mayBeSent = async (): Promise<boolean> => {
	if (sending) return false;
	sending = true;
	try {
		return await mayLeave();
	} finally {
		sending = false;
	}
};
