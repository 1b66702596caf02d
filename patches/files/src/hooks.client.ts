import { install } from '$lib/tee/guard';

/** SvelteKit awaits this before the application starts: nothing is sent unguarded. */
export const init = install;
