/** typescript-eslint's strict rules, with types; what is switched off says why. */

import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
	{ ignores: ['node_modules/', '.dependency-cruiser.cjs'] },
	eslint.configs.recommended,
	...tseslint.configs.strictTypeChecked,
	{
		languageOptions: { parserOptions: { project: ['tsconfig.json'], tsconfigRootDir: import.meta.dirname } },
		rules: {
			// what a file holds is data of an index signature: quote['rtmr_3'] says that it may be missing
			'@typescript-eslint/dot-notation': 'off',
			// `!` stands where the line above it has made sure: the compiler's own checks of indices demand it
			'@typescript-eslint/no-non-null-assertion': 'off',
			// numbers in sentences
			'@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
			// what comes from outside is of its declared type only by hope: a check too many is meant
			'@typescript-eslint/no-unnecessary-condition': 'off',
			'@typescript-eslint/no-unnecessary-type-conversion': 'off',
			// String() of a JSON value is for showing it, and [object Object] shows that it is none of those expected
			'@typescript-eslint/no-base-to-string': 'off',
			// control characters are what these expressions look for
			'no-control-regex': 'off',
			// the members taken out of a rest are those that are not wanted
			'@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
			// a method taken from a prototype is called with `call`: the guard stands in front of it
			'@typescript-eslint/unbound-method': 'off',
			'@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }]
		}
	},
	{
		files: ['test/**'],
		rules: {
			'@typescript-eslint/no-empty-function': 'off',
			'@typescript-eslint/require-await': 'off',
			// vitest's matchers
			'@typescript-eslint/no-unsafe-assignment': 'off'
		}
	},
	{
		files: ['**/*.mjs', '**/*.d.mts', 'vitest.config.ts'],
		extends: [tseslint.configs.disableTypeChecked],
		languageOptions: { globals: { process: 'readonly', console: 'readonly' } }
	}
);
