/**
 * Shape of the two documents that Intel signs: TCB info (version 3) and the QE's identity (Intel PCS API, version 4).
 * Establishes nothing about who signed. It refuses what dcap-qvl's implementations would read differently: members that
 * are missing or of another type, and levels that are not listed from the highest to the lowest, as Intel specifies
 * them (one implementation sorts them, the other takes the first that fits). Other members are left alone.
 */

import { clause, Reason } from '../shared/sentence.js';
import { isObject, type Json, type JsonObject } from '../shared/strict-json.js';
import { isIntelTime } from '../shared/time.js';
import { statusesOf } from './tcb-statuses.js';

export class DocumentError extends Reason {}

type Rule = (value: Json) => boolean;
/** One value, a list of them, or members ("?": may be missing). */
type Shape = Rule | [Shape] | { [member: string]: Shape };

const natural =
	(most: number): Rule =>
	(value) =>
		typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
const hexadecimal =
	(size: number): Rule =>
	(value) =>
		typeof value === 'string' && value.length === 2 * size && /^[0-9A-Fa-f]*$/.test(value);
const oneOf =
	(...allowed: Json[]): Rule =>
	(value) =>
		allowed.includes(value);
const isText: Rule = (value) => typeof value === 'string';
const isModuleId: Rule = (value) => typeof value === 'string' && /^TDX_[0-9A-F]{2}$/.test(value);

const [BYTE, SHORT, LONG] = [natural(0xff), natural(0xffff), natural(0xffff_ffff)];
const isComponents: Rule = (value) =>
	Array.isArray(value) && value.length === 16 && value.every((one) => isObject(one) && BYTE(one['svn'] ?? null));
const level = (tcb: Shape, ...statuses: string[]): Shape => ({
	tcb,
	tcbDate: isIntelTime,
	tcbStatus: oneOf(...statuses),
	'advisoryIDs?': [isText]
});

const DATES = { issueDate: isIntelTime, nextUpdate: isIntelTime };
const MODULE = { mrsigner: hexadecimal(48), attributes: hexadecimal(8), attributesMask: hexadecimal(8) };
const PLATFORM_TCB = { sgxtcbcomponents: isComponents, pcesvn: SHORT, tdxtcbcomponents: isComponents };
const MODULE_LEVEL = level({ isvsvn: BYTE }, ...statusesOf('module'));
const SHAPES: Record<'tcb_info' | 'qe_identity', Shape> = {
	tcb_info: {
		id: oneOf('TDX'),
		version: oneOf(3),
		...DATES,
		fmspc: hexadecimal(6),
		pceId: hexadecimal(2),
		tcbType: LONG,
		tcbEvaluationDataNumber: LONG,
		tdxModule: MODULE,
		'tdxModuleIdentities?': [{ id: isModuleId, ...MODULE, tcbLevels: [MODULE_LEVEL] }],
		tcbLevels: [level(PLATFORM_TCB, ...statusesOf('platform'))]
	},
	qe_identity: {
		id: oneOf('TD_QE'),
		version: oneOf(2, 3),
		...DATES,
		tcbEvaluationDataNumber: LONG,
		miscselect: hexadecimal(4),
		miscselectMask: hexadecimal(4),
		attributes: hexadecimal(16),
		attributesMask: hexadecimal(16),
		mrsigner: hexadecimal(32),
		isvprodid: SHORT,
		tcbLevels: [level({ isvsvn: SHORT }, ...statusesOf('qe'))]
	}
};

/** Throws where `value` is not of `shape`; `path` names it. */
function requireValue(value: Json | undefined, shape: Shape, path: string): void {
	const refuse = () =>
		new DocumentError("its {{name}} is {{actual}}, not as Intel specifies it", {
			name: path,
			actual: value === undefined ? clause('missing') : JSON.stringify(value).slice(0, 80)
		});
	if (typeof shape === 'function') {
		if (value === undefined || !shape(value)) throw refuse();
	} else if (Array.isArray(shape)) {
		if (!Array.isArray(value)) throw refuse();
		value.forEach((item, i) => requireValue(item, shape[0], `${path}.${i}`));
	} else {
		if (!isObject(value)) throw refuse();
		for (const [name, inner] of Object.entries(shape)) {
			const key = name.replace(/\?$/, '');
			const given = Object.hasOwn(value, key);
			if (given || key === name) requireValue(given ? value[key] : undefined, inner, `${path}.${key}`);
		}
	}
}

/** By what Intel's library sorts levels: SGX components, PCE SVN, TDX components; or the one SVN of an enclave. */
function height(tcb: JsonObject): number[] {
	if ('isvsvn' in tcb) return [tcb['isvsvn'] as number];
	const svns = (name: string) => (tcb[name] as { svn: number }[]).map(({ svn }) => svn);
	return [...svns('sgxtcbcomponents'), tcb['pcesvn'] as number, ...svns('tdxtcbcomponents')];
}

const isHigher = (one: number[], other: number[]): boolean => {
	const first = one.findIndex((svn, i) => svn !== other[i]);
	return first >= 0 && one[first]! > other[first]!;
};

function requireOrder(levels: Json, path: string): void {
	const heights = (levels as { tcb: JsonObject }[]).map(({ tcb }) => height(tcb));
	if (heights.length === 0 || heights.some((one, i) => i > 0 && isHigher(one, heights[i - 1]!)))
		throw new DocumentError('its {{name}} is not a list from the highest level to the lowest', { name: path });
}

/** Throws DocumentError unless `document` is what Intel's specification says of it. */
export function requireShape(name: 'tcb_info' | 'qe_identity', document: JsonObject): void {
	requireValue(document, SHAPES[name], name);
	requireOrder(document['tcbLevels']!, `${name}.tcbLevels`);
	const identities = (document['tdxModuleIdentities'] ?? []) as JsonObject[];
	identities.forEach((identity, number) => {
		const path = `${name}.tdxModuleIdentities.${number}`;
		if (identities.findIndex(({ id }) => id === identity['id']) !== number)
			throw new DocumentError('its {{name}} describes a TDX module twice', { name: path });
		requireOrder(identity['tcbLevels']!, `${path}.tcbLevels`);
	});
}
