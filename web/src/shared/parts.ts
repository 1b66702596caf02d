/** What the fields of a platform and the events of a launch stand for, in words: a register's name tells nobody anything. */

import events from '../data/events.json';
import { platform } from '../data/td_report.json';
import { clause, verbatim, type Clause } from './sentence.js';

const EVENTS: Record<string, { part?: string; rule?: boolean; encrypts?: boolean } | undefined> = events;
const FIELDS: Record<string, string | undefined> = platform;

/** The words for `field`: a platform's field, or an event's operation, with the name of what it is about where it has one. */
export const partOf = (field: string): Clause => {
	const [operation = '', ...name] = field.split(' ');
	if (operation === 'model') return clause('model {{name}}', { name: name.join(' ') });
	const part = EVENTS[operation]?.part ?? FIELDS[operation];
	return part === undefined ? verbatim(field) : clause(part);
};

const same = (one: Clause, other: Clause): boolean =>
	one.text === other.text && one.values['name'] === other.values['name'];

/** Each of `fields` once, in words, as a list. */
export const listed = (fields: string[]): string | Clause => {
	const parts = fields.map(partOf);
	const different = parts.filter((part, index) => parts.findIndex((one) => same(one, part)) === index);
	return different
		.slice(1)
		.reduce<string | Clause>((first, next) => clause('{{first}}, {{next}}', { first, next }), different[0] ?? '');
};
