import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	define: { TEST_ROOT_IS_GENUINE: 'false' },
	resolve: { alias: { '#dcap': join(import.meta.dirname, 'node_modules/.cache/tests/dcap.mjs') } },
	test: {
		include: ['test/**/*.test.ts'],
		globalSetup: ['test/setup.ts'],
		testTimeout: 60_000
	}
});
