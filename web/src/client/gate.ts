/**
 * The decision: may content leave this page now? The guard asks for every such request; the message box
 * asks beforehand, so that a refused message stays in the box.
 */

import { get } from 'svelte/store';
import { strictest, type Gate } from './config.js';
import { recall } from './memory.js';
import { page } from './page.js';
import { config, freshState, newChats, shieldOf } from './rounds.js';
import type { State } from './state.js';

/** After a refusal, what the same click still wants to send is refused without asking again. */
const QUIET_MS = 1500;
const NEW = 'new';

const accepted = new Set<string>();
let quietUntil = 0;
let asking: Promise<boolean> | null = null;

/** The stricter of what the server proposes and what the person chose. */
export const gateInForce = (): Gate => strictest(get(config), recall().gate);

/** What a consent is for: one chat, or one page where there are no chats. */
const place = (): string => {
	const path = window.location.pathname;
	if (path !== '/' && !path.startsWith('/c/')) return path;
	const id = page().chat();
	return id && id !== 'local' ? id : NEW;
};

/** A consent given in a new chat goes with it once the server has named it. */
export const chatNamed = (id: string) => {
	if (accepted.has(NEW)) accepted.add(id);
};

// A New Chat asks anew.
newChats.subscribe(() => accepted.delete(NEW));

const askOnce = async (now: State): Promise<boolean> => {
	const here = place();
	if (accepted.has(here)) return true;
	if (Date.now() < quietUntil) return false;
	asking ??= page().ask(now).finally(() => (asking = null));
	const yes = await asking;
	if (yes) accepted.add(here);
	else quietUntil = Date.now() + QUIET_MS;
	return yes;
};

/** Whether content may leave now: waits for a verdict that is fresh, and asks the person where the gate says so. */
export const mayLeave = async (): Promise<boolean> => {
	const now = await freshState();
	const gate = gateInForce();
	if (gate === 'off' || shieldOf(now) === 'green') return true;
	if (gate === 'warn') return askOnce(now);
	page().refuse(now);
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
