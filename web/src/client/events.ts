/** Event log lines for a reader; the verifier alone decides what they mean. */

import { isObject } from '../shared/strict-json.js';

export type ReadableEvent = { name: string; members: [string, string][] };

const spell = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Split `<domain> <operation> <content>`; content that is a JSON object is listed member by member. */
export const readEvent = (line: string): ReadableEvent => {
	const [domain, operation, ...rest] = line.split(' ');
	const content = rest.join(' ');
	if (domain === 'INIT') return { name: 'INIT', members: [['', operation ?? '']] };
	try {
		const value: unknown = JSON.parse(content);
		if (operation !== undefined && isObject(value)) {
			return {
				name: operation,
				members: Object.entries(value).map(([name, member]) => [name, spell(member)])
			};
		}
	} catch {
		// shown as it stands
	}
	return { name: operation ?? line, members: [['', content]] };
};

/** The lines of an event log, without the empty one after the last line break. */
export const linesOf = (log: string): string[] => log.split('\n').filter((line) => line !== '');
