/**
 * Where the software comes from. Only what the person's own reference values say counts as known; what the server alone
 * says is called a claim.
 */

import { clause, type Clause } from '../shared/sentence.js';
import { isObject, type JsonObject } from '../shared/strict-json.js';
import type { State } from './state.js';

export interface Fact {
	name: Clause;
	value: string;
	/** Who says so. */
	by: 'references' | 'claim';
}

const NAMES = {
	version: clause('Version'),
	commit: clause('Commit'),
	upstream: clause('Built from')
} as const;

/** Whether the reference values that are held know what the server launched. */
const known = (now: State): boolean =>
	now.report?.checks.some(({ id, key, status }) => id === 'release.match' && (status === 'pass' || key.endsWith('.doubtful')) && !key.endsWith('.trusted')) ?? false;

/** The digest of the release that the log says is in force: proven to be what was measured, not to be any good. */
const digestOf = (now: State): string | null => {
	const digest = now.report?.facts.release;
	return typeof digest === 'string' ? digest : null;
};

/** What is known of the software on show, most telling first. */
export const provenanceOf = (now: State, references: JsonObject | null, claimed: { version: string }): Fact[] => {
	const held = known(now) ? references : null;
	const by = held ? 'references' : 'claim';
	const about: JsonObject = held && isObject(held['release']) ? held['release'] : {};
	const facts: Fact[] = [];
	if (held) facts.push({ name: clause('Reference values'), value: String(held['name'] ?? ''), by });
	for (const [key, name] of Object.entries(NAMES)) {
		const value = about[key];
		if (typeof value === 'string' && value) facts.push({ name, value, by });
	}
	if (!about['version'] && claimed.version) facts.push({ name: NAMES.version, value: claimed.version, by: 'claim' });
	const digest = digestOf(now);
	if (digest) facts.push({ name: clause('SHA-384 of its manifest'), value: digest, by });
	return facts;
};

/** The same check from outside, by a program that did not come from this server. */
export const outsideCommand = (origin: string): string => `quote-verifier ${origin} --release reference-values.json`;
