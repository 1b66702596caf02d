/** The addresses of tests/vectors/origins.json: the origin that this engine gives each, and which text is an origin. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseOrigin } from '../src/shared/origin.js';
import { VECTORS } from './helpers.js';

const { origins, refused } = JSON.parse(readFileSync(join(VECTORS, 'origins.json'), 'utf8')) as Record<
	'origins' | 'refused',
	Record<string, string | null>
>;

test.each(Object.entries({ ...origins, ...refused }))('%s is %s', (url, expected) => {
	expect(URL.canParse(url) ? new URL(url).origin : null).toBe(expected);
	expect(parseOrigin(url) !== null).toBe(url === expected && url.startsWith('http'));
});
