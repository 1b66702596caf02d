/**
 * What a relying party accepts, as data in the shape of the command line's policy file. Strict where it says nothing:
 * only TCB status UpToDate, evidence at most ten minutes old. Unknown members and empty expected values are errors.
 */

import services from '../data/services.json';
import statuses from '../data/tcb_statuses.json';
import { isHex } from '../shared/bytes.js';
import { NO_SERVICE_TD, PLATFORM_FIELDS, SERVICE_TD_SIZE, type PlatformPolicy } from './references.js';
import { isObject, type Json } from '../shared/strict-json.js';

export class PolicyError extends Error {}

type ServiceName = keyof typeof services;
const SERVICES = Object.keys(services) as ServiceName[];

/** A policy as written; every member may be left out. */
export interface Policy {
	v?: 1;
	tcb?: {
		accepted_statuses?: string[];
		refused_advisories?: string[];
		accepted_advisories?: string[];
		min_tcb_evaluation_data_number?: number;
		min_tee_tcb_svn?: string;
		min_pce_svn?: number;
		min_qe_isv_svn?: number;
		allow_dynamic_platform?: boolean;
		allow_cached_keys?: boolean;
		allow_smt?: boolean;
	};
	platform?: PlatformPolicy;
	services?: { required?: ServiceName[] };
	freshness?: { max_age_s?: number };
}

export type TcbPolicy = Required<NonNullable<Policy['tcb']>>;

/** A policy with every default filled in. */
export interface FullPolicy {
	tcb: TcbPolicy;
	platform: PlatformPolicy;
	required_services: ServiceName[];
	max_age_s: number;
}

const DEFAULT_TCB: TcbPolicy = {
	accepted_statuses: [],
	refused_advisories: [],
	accepted_advisories: [],
	min_tcb_evaluation_data_number: 0,
	min_tee_tcb_svn: '00'.repeat(16),
	min_pce_svn: 0,
	min_qe_isv_svn: 0,
	allow_dynamic_platform: true,
	allow_cached_keys: true,
	allow_smt: true
};
const ACCEPTABLE = Object.entries(statuses)
	.filter(([, { acceptable }]) => acceptable)
	.map(([name]) => name);
const ADVISORY = /^[A-Z0-9][A-Z0-9-]{2,63}$/;

const isList = (value: Json, good: (item: Json) => boolean): boolean => Array.isArray(value) && value.every(good);
const isOneOf =
	(...allowed: readonly string[]) =>
	(item: Json) =>
		typeof item === 'string' && allowed.includes(item);
const isAdvisory = (item: Json) => typeof item === 'string' && ADVISORY.test(item);
const isNatural = (value: Json, least = 0) => typeof value === 'number' && Number.isSafeInteger(value) && value >= least;

type Rule = [rule: (value: Json) => boolean, expected: string];
const natural: Rule = [(value) => isNatural(value), 'a whole number'];
const flag: Rule = [(value) => typeof value === 'boolean', 'true or false'];
const advisories: Rule = [(value) => isList(value, isAdvisory), 'a list of advisories such as INTEL-SA-00837'];
const hexadecimals = (size: number): Rule => [
	(value) => Array.isArray(value) && value.length > 0 && isList(value, (item) => isHex(item, size)),
	`a list of ${size} bytes as lower-case hex`
];
const RULES: Record<string, Record<string, Rule>> = {
	tcb: {
		accepted_statuses: [(value) => isList(value, isOneOf(...ACCEPTABLE)), `a list of ${ACCEPTABLE.join(', ')}`],
		refused_advisories: advisories,
		accepted_advisories: advisories,
		min_tcb_evaluation_data_number: natural,
		min_tee_tcb_svn: [(value) => isHex(value, 16), '16 bytes as lower-case hex'],
		min_pce_svn: natural,
		min_qe_isv_svn: natural,
		allow_dynamic_platform: flag,
		allow_cached_keys: flag,
		allow_smt: flag
	},
	platform: {
		...Object.fromEntries(Object.entries(PLATFORM_FIELDS).map(([field, size]) => [field, hexadecimals(size)])),
		mr_service_td: [
			(value) => hexadecimals(SERVICE_TD_SIZE)[0](value) && !(value as string[]).includes(NO_SERVICE_TD),
			`${hexadecimals(SERVICE_TD_SIZE)[1]}, none of them zeros`
		],
		allow_migration: flag,
		trust_administrator: flag
	},
	services: { required: [(value) => isList(value, isOneOf(...SERVICES)), `a list of ${SERVICES.join(', ')}`] },
	freshness: { max_age_s: [(value) => isNatural(value, 1), 'a whole number of at least 1'] }
};

function checkSection(name: string, section: Json | undefined): void {
	const rules = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
	if (!rules)
		throw new PolicyError(`The policy's member "${name}" is unknown; known are ${Object.keys(RULES).join(', ')}.`);
	if (!isObject(section)) throw new PolicyError(`The policy's ${name} is not an object.`);
	for (const [key, value] of Object.entries(section)) {
		const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
		if (!rule)
			throw new PolicyError(
				`The policy's member "${name}.${key}" is unknown; known are ${Object.keys(rules).join(', ')}.`
			);
		if (!rule[0](value))
			throw new PolicyError(`The policy's ${name}.${key} is ${JSON.stringify(value)}, expected ${rule[1]}.`);
	}
}

/** The policy with its defaults; throws PolicyError, naming the member, its value and what was expected. */
export function fullPolicy(value: unknown = {}): FullPolicy {
	if (!isObject(value)) throw new PolicyError('The policy is not an object.');
	if (value['v'] !== undefined && value['v'] !== 1)
		throw new PolicyError(`The policy's v is ${JSON.stringify(value['v'])}, expected 1.`);
	for (const [name, section] of Object.entries(value)) if (name !== 'v') checkSection(name, section);
	const { tcb, platform, services, freshness } = value as Policy;
	return {
		tcb: { ...DEFAULT_TCB, ...tcb },
		platform: platform ?? {},
		required_services: services?.required ?? [],
		max_age_s: freshness?.max_age_s ?? 600
	};
}
