/** Which folder may use which: `npm run lint` fails where this does not hold. */
module.exports = {
	forbidden: [
		{ name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
		{
			name: 'shared-knows-neither-side',
			severity: 'error',
			from: { path: '^src/shared/' },
			to: { path: '^src/(client|verifier|channel)' }
		},
		{
			name: 'the-client-knows-the-verifier-by-its-types',
			comment: 'It reaches the verifier through the worker alone, so that the page loads it when it is first asked for.',
			severity: 'error',
			from: { path: '^src/client/' },
			to: { path: '^src/verifier', dependencyTypesNot: ['type-only'] }
		},
		{
			name: 'the-channel-knows-nobody',
			comment: 'It is bundled as one file: the page and its tests use it through src/channel.ts.',
			severity: 'error',
			from: { path: '^src/channel' },
			to: { path: '^src/(client|verifier)' }
		},
		{
			name: 'the-client-knows-the-channel-by-its-entry',
			severity: 'error',
			from: { path: '^src/client/' },
			to: { path: '^src/channel/' }
		},
		{
			name: 'the-verifier-knows-no-page',
			severity: 'error',
			from: { path: '^src/verifier' },
			to: { path: '^src/client/' }
		},
		{
			name: 'no-module-that-nobody-uses',
			severity: 'error',
			from: { path: '^src/', pathNot: '^src/((verifier|channel)\\.ts|client/|.*\\.d\\.ts)', orphan: true },
			to: {}
		}
	],
	options: { tsConfig: { fileName: 'tsconfig.json' }, tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } }
};
