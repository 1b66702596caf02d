/**
 * X.509 certificates of Intel's provisioning PKI (RFC 5280; "Intel SGX PCK Certificate and CRL Profile"): names, dates,
 * and the roles that dcap-qvl does not separate, so that a key made for one purpose cannot serve another.
 */

import { Certificate, CertificateList, KeyUsageFlags, type Name } from '@peculiar/asn1-x509';
import { AsnParser } from './asn1-cache.js';
import {
	BASIC_CONSTRAINTS,
	certificateParts,
	contentOf,
	CRL_NUMBER,
	crlExtensions,
	KEY_USAGE,
	notAsSpecified,
	TAG
} from './der.js';
import { SGX_OID } from './pck.js';
import { equalBytes, fromBase64, toBase64, toHex } from '../shared/bytes.js';
import { sha256 } from './hash.js';
import { clause, Reason, type Clause } from '../shared/sentence.js';
import { reasonOf } from './reason.js';

export class CertificateError extends Reason {}

export interface CertificateSummary {
	subject: string;
	issuer: string;
	notBefore: string;
	notAfter: string;
	/** SHA-256 of the DER, lower-case hex. */
	sha256: string;
}

export interface ParsedCertificate extends CertificateSummary {
	der: Uint8Array;
	commonName: string;
	issuerName: string;
	isCa: boolean;
	/** keyUsage as KeyUsageFlags, null where the extension is missing. */
	keyUsage: number | null;
	hasSgxExtension: boolean;
	/** DER of the names, hex: equal names are equal bytes. */
	subjectDer: string;
	issuerDer: string;
	hasP256Key: boolean;
}

const OID = {
	commonName: '2.5.4.3'
};
/** SubjectPublicKeyInfo of a P-256 key (RFC 5480) as far as its uncompressed point, which 64 bytes follow; hex. */
const P256_KEY = /^3059301306072a8648ce3d020106082a8648ce3d03010703420004[0-9a-f]{128}$/;
const SHORT_NAMES: Record<string, string> = {
	[OID.commonName]: 'CN',
	'2.5.4.10': 'O',
	'2.5.4.7': 'L',
	'2.5.4.8': 'ST',
	'2.5.4.6': 'C'
};
// white space is ASCII's: \s would let characters through that other readers stop at
const BLOCK = '-----BEGIN CERTIFICATE-----([A-Za-z0-9+/= \\t\\r\\n\\f\\v]+)-----END CERTIFICATE-----';
const PEM = new RegExp(BLOCK, 'g');
const ONLY_PEM = new RegExp(`^[ \\t\\r\\n\\f\\v]*(?:${BLOCK}[ \\t\\r\\n\\f\\v]*){1,5}\\0*$`);

/** DER of the certificates of a PEM text; throws unless it is 1 to 5 of them and white space, as PEM readers differ. */
export function decodePem(pem: string, what: Clause): Uint8Array[] {
	if (!ONLY_PEM.test(pem))
		throw new CertificateError('the {{what}} is not a plain sequence of 1 to 5 PEM certificates', { what });
	return [...pem.matchAll(PEM)].map((match) => {
		try {
			return fromBase64(match[1]!.replace(/\s+/g, ''));
		} catch {
			throw new CertificateError('the {{what}} holds a certificate that is not base64', { what });
		}
	});
}

function nameText(name: Name): string {
	return name
		.flatMap((rdn) => rdn.map((part) => `${SHORT_NAMES[part.type] ?? part.type}=${part.value.toString()}`))
		.join(', ');
}

function commonName(name: Name): string {
	const found = name.flatMap((rdn) => rdn.filter((part) => part.type === OID.commonName));
	return found.length === 1 ? found[0]!.value.toString() : '';
}

/** Seconds are the resolution of every date here. */
export function isoDate(date: Date): string {
	return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Of basic constraints, in DER: empty, or true and perhaps a path length of one byte. */
function readIsCa(constraints: Uint8Array | undefined): boolean {
	const der = constraints === undefined ? '3000' : toHex(constraints);
	if (der === '3000') return false;
	if (!/^(30030101ff|30060101ff0201[0-7][0-9a-f])$/.test(der)) throw notAsSpecified();
	return true;
}

/** Key usage, a BIT STRING of one byte, as KeyUsageFlags; null where it is not stated. */
function readKeyUsage(usage: Uint8Array | undefined): number | null {
	if (usage === undefined) return null;
	const [tag, length, unused, bits] = usage as unknown as [number, number, number, number];
	if (usage.length !== 4 || tag !== 3 || length !== 2 || unused > 7 || bits & ((1 << unused) - 1)) throw notAsSpecified();
	return [0, 1, 2, 3, 4, 5, 6, 7].reduce((flags, bit) => flags | (bits & (0x80 >> bit) ? 1 << bit : 0), 0);
}

export function parseCertificate(der: Uint8Array): ParsedCertificate {
	try {
		const certificate = AsnParser.parse(der, Certificate) as Certificate;
		const tbs = certificate.tbsCertificate;
		const { issuer, subject, key, extensions } = certificateParts(der);
		return {
			der,
			subject: nameText(tbs.subject),
			issuer: nameText(tbs.issuer),
			commonName: commonName(tbs.subject),
			issuerName: commonName(tbs.issuer),
			notBefore: isoDate(tbs.validity.notBefore.getTime()),
			notAfter: isoDate(tbs.validity.notAfter.getTime()),
			sha256: toHex(sha256(der)),
			isCa: readIsCa(extensions.get(BASIC_CONSTRAINTS)),
			keyUsage: readKeyUsage(extensions.get(KEY_USAGE)),
			hasSgxExtension: extensions.has(SGX_OID),
			subjectDer: toHex(subject),
			issuerDer: toHex(issuer),
			hasP256Key: P256_KEY.test(toHex(key))
		};
	} catch (error) {
		throw new CertificateError('a certificate cannot be read ({{cause}})', { cause: reasonOf(error) });
	}
}

/** The certificates of a PEM text, in its order; throws where it holds anything else, or an unreadable one. */
export function parseChain(pem: string, what: Clause): ParsedCertificate[] {
	return decodePem(pem, what).map(parseCertificate);
}

export function summary(certificate: ParsedCertificate): CertificateSummary {
	const { subject, issuer, notBefore, notAfter, sha256 } = certificate;
	return { subject, issuer, notBefore, notAfter, sha256 };
}

/** Value of an INTEGER's content that is not negative, of at most 20 bytes as RFC 5280 allows. */
function naturalNumber(value: Uint8Array): bigint {
	const padded = value.length > 1 && value[0] === 0 && value[1]! < 0x80;
	if (value.length === 0 || value.length > 21 || value[0]! >= 0x80 || padded)
		throw new Reason('its number is no natural number');
	return BigInt(`0x${toHex(value)}`);
}

/** When the next CRL is due, null where it does not say. */
export function crlDue(der: Uint8Array): Date | null {
	try {
		return (AsnParser.parse(der, CertificateList) as CertificateList).tbsCertList.nextUpdate?.getTime() ?? null;
	} catch (error) {
		throw new CertificateError('a revocation list cannot be read ({{cause}})', { cause: reasonOf(error) });
	}
}

/** The cRLNumber of a CRL (RFC 5280, 5.2.3), by which an older list is told from a newer one; null where absent. */
export function crlNumber(der: Uint8Array): bigint | null {
	try {
		const value = crlExtensions(der).get(CRL_NUMBER);
		return value === undefined ? null : naturalNumber(contentOf(value, TAG.integer));
	} catch (error) {
		throw new CertificateError('a revocation list cannot be read ({{cause}})', { cause: reasonOf(error) });
	}
}

interface Role {
	names: string[];
	issuers: string[];
	ca: boolean;
	sgx: boolean;
	usage: number;
	notUsage: number;
}

const ROOT = 'Intel SGX Root CA';
const PCK_CAS = ['Intel SGX PCK Platform CA', 'Intel SGX PCK Processor CA'];
const CA_USAGE = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
const ROLES = {
	root: { names: [ROOT], issuers: [ROOT], ca: true, sgx: false, usage: CA_USAGE, notUsage: 0 },
	'PCK CA': { names: PCK_CAS, issuers: [ROOT], ca: true, sgx: false, usage: CA_USAGE, notUsage: 0 },
	PCK: {
		names: ['Intel SGX PCK Certificate'],
		issuers: PCK_CAS,
		ca: false,
		sgx: true,
		usage: KeyUsageFlags.digitalSignature,
		notUsage: CA_USAGE
	},
	'TCB signing': {
		names: ['Intel SGX TCB Signing'],
		issuers: [ROOT],
		ca: false,
		sgx: false,
		usage: KeyUsageFlags.digitalSignature,
		notUsage: CA_USAGE
	}
} satisfies Record<string, Role>;
export type RoleName = keyof typeof ROLES;

/** PEM text of `chain` in one canonical spelling, so that every reader of it sees the same certificates. */
export function toPem(chain: ParsedCertificate[]): string {
	const block = ({ der }: ParsedCertificate) => {
		const lines = toBase64(der)
			.match(/.{1,64}/g)!
			.join('\n');
		return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
	};
	return chain.map(block).join('');
}

/** Throws where `certificate` is not what Intel's profile lets act as `role`. */
export function requireRole(certificate: ParsedCertificate, role: RoleName, where: Clause): void {
	const wanted: Role = ROLES[role];
	const refuse = (why: Clause) =>
		new CertificateError('{{where}} is no {{role}} certificate: {{why}}', { where, role, why });
	if (!wanted.names.includes(certificate.commonName))
		throw refuse(clause('its subject is "{{name}}"', { name: certificate.commonName }));
	if (!wanted.issuers.includes(certificate.issuerName))
		throw refuse(clause('its issuer is "{{name}}"', { name: certificate.issuerName }));
	if (certificate.isCa !== wanted.ca) throw refuse(wanted.ca ? clause('it is not a CA') : clause('it is a CA'));
	if (certificate.hasSgxExtension !== wanted.sgx)
		throw refuse(
			wanted.sgx ? clause('it lacks the SGX extension') : clause('it carries the SGX extension of a PCK certificate')
		);
	if (!certificate.hasP256Key) throw refuse(clause('its key is no P-256 key'));
	if (certificate.keyUsage === null) throw refuse(clause('it states no key usage'));
	if ((certificate.keyUsage & wanted.usage) !== wanted.usage || (certificate.keyUsage & wanted.notUsage) !== 0)
		throw refuse(clause('its key usage does not fit'));
}

/** Throws where a chain is not exactly these roles, leaf first, and `root`; a quote's may end before the root. */
export function requireChain(chain: ParsedCertificate[], roles: RoleName[], root: Uint8Array, where: Clause): void {
	const rooted = equalBytes(chain.at(-1)!.der, root);
	if (!rooted && roles[0] !== 'PCK') throw new CertificateError('the {{where}} does not end with the root', { where });
	const links = rooted ? chain.slice(0, -1) : chain;
	if (links.length !== roles.length)
		throw new CertificateError('the number of certificates below the root in the {{where}} is {{actual}}, not {{expected}}', {
			where,
			actual: links.length,
			expected: roles.length
		});
	links.forEach((certificate, i) =>
		requireRole(certificate, roles[i]!, clause('certificate {{number}} of the {{where}}', { number: i + 1, where }))
	);
	const anchored = [...links, parseCertificate(root)];
	const odd = links.findIndex((certificate, i) => certificate.issuerDer !== anchored[i + 1]!.subjectDer);
	if (odd >= 0)
		throw new CertificateError('certificate {{number}} of the {{where}} does not name the next one as its issuer', {
			number: odd + 1,
			where
		});
}

export function requireDates(certificate: ParsedCertificate, now: Date, where: Clause): void {
	const { commonName: name, notBefore: from, notAfter: until } = certificate;
	if (now < new Date(from) || now > new Date(until))
		throw new CertificateError(
			'certificate "{{name}}" of the {{where}} is valid from {{from}} to {{until}}, not on {{now}}',
			{ name, where, from, until, now: isoDate(now) }
		);
}
