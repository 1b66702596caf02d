/** Times are ISO 8601 in UTC from 1970 to 9999, and nothing else: Date alone accepts almost anything. */

const ISO_UTC = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|\+00:00)$/;
/** How Intel writes the dates of what it signs (PCS API version 4). */
const INTEL = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** The moment that `text` names, or null where it is no such time (31 February included). */
export function parseTime(text: unknown): Date | null {
	if (typeof text !== 'string' || !ISO_UTC.test(text)) return null;
	const date = new Date(text);
	if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 19) !== text.slice(0, 19)) return null;
	return date.getTime() >= 0 ? date : null;
}

/** Is `value` a time as Intel writes it: UTC, whole seconds, `Z`? */
export function isIntelTime(value: unknown): value is string {
	return typeof value === 'string' && INTEL.test(value) && parseTime(value) !== null;
}
