/**
 * A code that two people can compare, by phone or on paper: the same for all who are on one server, and another one where
 * platform, release or owner of the data differ. It does not depend on keys or nonces, so a relay in between shows the
 * code of the server behind it.
 */

import { utf8 } from '../shared/bytes.js';
import type { Evidence } from '../shared/evidence.js';
import { isObject } from '../shared/strict-json.js';
import { canonicalize, releaseInForce, replay } from './event-log.js';
import { sha256 } from './hash.js';
import { parseQuote } from './quote.js';
import { platformOf } from './references.js';

/** Crockford's base 32: no I, L, O or U, which are misread and misheard. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 80 bits: too many for anybody to find another server with the same code. */
const CHARACTERS = 16;
const GROUP = 4;

/** Base 32 of the first 80 bits of `digest` (SHA-256), in groups of four. */
function spell(digest: Uint8Array): string {
	const bits = [...digest].map((byte) => byte.toString(2).padStart(8, '0')).join('');
	const letters = Array.from({ length: CHARACTERS }, (_, i) => ALPHABET[parseInt(bits.slice(5 * i, 5 * i + 5), 2)]);
	return Array.from({ length: CHARACTERS / GROUP }, (_, i) => letters.slice(GROUP * i, GROUP * (i + 1)).join('')).join('-');
}

/**
 * The code of `bundle`: SHA-256 of the canonical JSON (RFC 8785) of `{"v": 1, "platform": {the seven fields of reference
 * values, hex}, "release": <SHA-384 of the release in force, hex, or null>, "data_owner": <text or null>}`. Says nothing
 * about whether any of it is true: that is the verdict's. Throws where quote or log cannot be read.
 */
export function shortCode(bundle: Evidence): string {
	const { evidence } = bundle;
	const log = evidence['event_log'];
	const runtime = evidence['runtime_data'];
	const data = isObject(runtime) && isObject(runtime['data']) ? runtime['data'] : {};
	const said = {
		v: 1,
		platform: platformOf(parseQuote(String(evidence['quote']))),
		release: releaseInForce(typeof log === 'string' && log !== '' ? replay(log).events : []),
		data_owner: typeof data['owner'] === 'string' ? data['owner'] : null
	};
	return spell(sha256(utf8(canonicalize(said) ?? '')));
}
