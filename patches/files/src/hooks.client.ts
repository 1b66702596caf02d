import { install } from '$lib/tee/guard';

// SvelteKit runs this module before the application starts: nothing is sent unguarded.
install();
