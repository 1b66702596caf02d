/** What a document of reference values may say of its release: tests/vectors/reference_releases.json, which the other verifier reads, too. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseReferences } from '../src/verifier/references.js';
import { VECTORS } from './helpers.js';

const { taken, refused } = JSON.parse(readFileSync(join(VECTORS, 'reference_releases.json'), 'utf8')) as Record<
	'taken' | 'refused',
	unknown[]
>;
const DOCUMENT = { v: 2, name: 'mine', events: ['open-webui-tdx release {}'], platforms: [] };
const having = (release: unknown) => parseReferences(JSON.stringify({ ...DOCUMENT, release }));

test.each(taken)('%j decides nothing', (release) => {
	expect(having(release)).toEqual(parseReferences(JSON.stringify(DOCUMENT)));
});

test.each(refused.map((release) => [release]))('%j is refused', (release) => {
	expect(() => having(release)).toThrow('release holds something else than version, commit and upstream, each a text');
});
