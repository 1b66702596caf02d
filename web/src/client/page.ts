/** What this folder asks of the page that it runs in: the few things that only Open WebUI's own code can do. */

import type { Clause } from '../shared/sentence.js';
import type { State } from './state.js';

export interface Page {
	/** Address of upstream's interface, such as `/api/v1`; the attestation endpoints lie below `/tee/`. */
	api: string;
	/** Origins whose requests are judged like the page's own: upstream's backend in development. */
	isBackend(url: URL): boolean;
	/** The chat on show: its id, '' where the server has not named it yet. */
	chat(): string;
	/** A sentence in the person's language. */
	say(sentence: Clause): string;
	/** Ask the person whether to send although `now` is not green. */
	ask(now: State): Promise<boolean>;
	/** Tell the person that something was not sent, and why. */
	refuse(now: State): void;
}

let attached: Page | null = null;

/** Say which page this is; before anything else of this folder is used. */
export const attach = (page: Page): void => {
	attached = page;
};

export const page = (): Page => {
	if (!attached) throw new Error('attach() was not called before the page was used.');
	return attached;
};
