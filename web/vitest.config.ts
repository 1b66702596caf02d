import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	test: {
		projects: [
			{
				// what decides in the page: milliseconds, and nothing to build first
				test: { name: 'client', environment: 'jsdom', include: ['test/client/*.test.ts'] }
			},
			{
				// the encrypted channel: what is sealed and opened, against the vectors that both languages share
				test: { name: 'channel', include: ['test/channel/*.test.ts'] }
			},
			{
				define: { TEST_ROOT_IS_GENUINE: 'false' },
				resolve: { alias: { '#dcap': join(import.meta.dirname, 'node_modules/.cache/tests/dcap.mjs') } },
				test: {
					name: 'verifier',
					include: ['test/*.test.ts'],
					globalSetup: ['test/setup.ts'],
					testTimeout: 60_000
				}
			}
		]
	}
});
