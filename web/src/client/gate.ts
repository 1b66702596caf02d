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

const askOnce = async (now: State, kind: Kind): Promise<boolean> => {
	const here = subject(kind);
	if (accepted.has(here)) return true;
	if (Date.now() < quietUntil) return false;
	const question = asking.get(here) ?? page().ask(now, kind).finally(() => asking.delete(here));
	asking.set(here, question);
	const yes = await question;
	if (!yes) quietUntil = Date.now() + QUIET_MS;
	// a question that was answered by a green verdict is no consent to another one
	else if (shieldOf(get(state)) !== 'green') accepted.add(here);
	return yes;
};

/**
 * The verdict to decide by. Whoever waits for it is told; where they may decide for themselves they wait no longer than
 * `PATIENCE_MS`, and the verdict that is still to come is in what they are asked.
 */
const awaited = async (kind: Kind): Promise<State> => {
	const fresh = isFresh();
	const check = freshState();
	if (fresh) return check;
	const arrived = page().wait(kind);
	let timer: ReturnType<typeof setTimeout> | undefined;
	try {
		const patience = new Promise<null>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS, null)));
		const first = await Promise.race([check, patience]);
		return first ?? (gateInForce() === 'block' ? await check : get(state));
	} finally {
		clearTimeout(timer);
		arrived();
	}
};

/** Whether content may leave now: waits for a verdict that is fresh, and asks the person where the gate says so. */
export const mayLeave = async (kind: Kind = 'message'): Promise<boolean> => {
	const now = await awaited(kind);
	const gate = gateInForce();
	if (gate === 'off' || shieldOf(now) === 'green') return true;
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
