/** Times are ISO 8601 in UTC with whole or fractional seconds, and nothing else: Date alone accepts almost anything. */

const ISO_UTC = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)$/;

/** The moment that `text` names, or null where it is no such time (31 February included). */
export function parseTime(text: unknown): Date | null {
	if (typeof text !== 'string' || !ISO_UTC.test(text)) return null;
	const date = new Date(text);
	if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 19) !== text.slice(0, 19)) return null;
	return date;
}
