/** What this folder asks of the page that it runs in: the few things that only Open WebUI's own code can do. */

import type { Clause } from '../shared/sentence.js';
import type { Kind } from './content.js';
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
	/** Ask the person whether to send although `now` is not green; a verdict that turns green meanwhile answers yes. */
	ask(now: State, kind: Kind): Promise<boolean>;
	/** Tell the person that something was not sent, and why. */
	refuse(now: State, kind: Kind): void;
	/** Tell the person something that upstream's own page may not show. */
	tell(sentence: Clause): void;
	/** Tell the person that something waits for the check, until the answer is called. */
	wait(kind: Kind): () => void;
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
