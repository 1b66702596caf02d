/** What a site chose for itself, judged by rule: the `site` event, whose line no build can know. The table is the data. */

import table from '../data/site.json';
import { clause, Reason, type Clause } from '../shared/sentence.js';
import { isObject, type Json, type JsonObject } from '../shared/strict-json.js';

interface Rule {
	/** `text`: a string; `flag`: true or false; `endpoints`: a list of {setting, value}; `egress`: a string or a list of them. */
	type: string;
	required: boolean;
	harmless: string | unknown[];
	warning?: string;
	/** Of endpoints: the settings that take what people write to be kept. */
	keepers?: string[];
}
const RULES: Record<string, Rule> = table;
/** Characters of one value in a sentence. */
export const SHOWN = 200;

export class SiteError extends Reason {}

const isText = (value: unknown): value is string => typeof value === 'string';
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isEndpoint = (value: unknown): boolean =>
	isObject(value) && Object.keys(value).sort().join() === 'setting,value' && areTexts(Object.values(value));

function is(type: string, value: unknown): boolean {
	if (type === 'flag') return typeof value === 'boolean';
	if (type === 'endpoints') return Array.isArray(value) && value.every(isEndpoint);
	return isText(value) || (type === 'egress' && areTexts(value));
}

function shown(value: Json): string {
	if (!Array.isArray(value)) return String(value).slice(0, SHOWN);
	const texts = value.map((one) => (isObject(one) ? `${String(one['value'])} (${String(one['setting'])})` : String(one)));
	return texts.join(', ').slice(0, SHOWN);
}

function isHarmless({ harmless }: Rule, value: Json): boolean {
	if (!Array.isArray(harmless)) return true;
	return harmless.some((one) => one === value || (Array.isArray(one) && Array.isArray(value) && value.length === 0));
}

/** A clause for everything that warns; none: all is harmless. Throws SiteError for a member that lacks or is of the wrong type. */
export function judgeSite(content: JsonObject): Clause[] {
	const missing = Object.keys(RULES).filter((name) => RULES[name]!.required && !Object.hasOwn(content, name));
	if (missing.length > 0) throw new SiteError('the site event lacks {{names}}', { names: missing.join(', ') });
	return Object.entries(content).flatMap(([name, value]) => {
		const rule = Object.hasOwn(RULES, name) ? RULES[name]! : undefined;
		if (!rule)
			return [clause('this server says something newer than this verifier: {{name}}', { name: `site ${name.slice(0, 40)}` })];
		if (!is(rule.type, value)) throw new SiteError("the site event's {{name}} is of the wrong type", { name });
		return isHarmless(rule, value) ? [] : [clause(rule.warning!, { value: shown(value) })];
	});
}

/** The settings, sorted, that have what people write kept off this machine. For content that `judgeSite` took. */
export function keepersElsewhere(content: JsonObject): string[] {
	const names = (content['endpoints'] as { setting: string }[]).map(({ setting }) => setting);
	return [...new Set(names)].filter((name) => RULES['endpoints']!.keepers!.includes(name)).sort();
}
