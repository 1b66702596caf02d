import { bringKey } from '$lib/tee/client/first';
import { install } from '$lib/tee/client/guard';
import { page, preload } from '$lib/tee/page';

/** SvelteKit awaits this before the application starts: nothing is sent unguarded. */
export const init = () => {
	install(page);
	bringKey();
	preload();
};
