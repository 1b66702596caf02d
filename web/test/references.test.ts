/** What a document of reference values may say of its release: tests/vectors/reference_releases.json, which the other verifier reads, too. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseReferences } from '../src/verifier/references.js';
import { resolve, VECTORS } from './helpers.js';

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

/** tests/vectors/reference_boot_events.json, which the other verifier reads, too. */
const { refused: odd } = JSON.parse(readFileSync(join(VECTORS, 'reference_boot_events.json'), 'utf8')) as {
	refused: { boot_events: unknown; says: string }[];
};
const { platforms } = resolve('@references/good.json') as { platforms: object[] };

test.each(odd.map(({ boot_events, says }) => [says, boot_events]))('%s: %j', (says, boot_events) => {
	expect(() => parseReferences({ ...DOCUMENT, platforms: [{ ...platforms[0], boot_events }] })).toThrow(says);
});
