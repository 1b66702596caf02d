/**
 * Are the address and the TLS key that a client saw those of the TD, and what is that worth? Without a bound key whoever ends
 * TLS may relay to a genuine TD elsewhere. A key that was given to the TD may be in other hands. That it was drawn in the TD is
 * the attester's own word, which counts only on a platform that passes. And a browser does not see its connection's key: there
 * a person has to trust the name. What a page seals to the TD's own key (docs/channel.md) nobody on the way reads, whoever ends
 * TLS; but the page came that way, too.
 */

import type { Connected } from '../shared/evidence.js';
import { parseOrigin } from '../shared/origin.js';
import type { Outcome } from './outcome.js';
import type { BoundTls, RuntimeData } from './runtime-data.js';

/** localhost, *.localhost, 127.0.0.0/8 and ::1. */
function isLoopback(url: URL): boolean {
	const host = url.hostname.replace(/\.$/, '');
	return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** What the address alone decides; null: it is the TD's, over https. */
function byAddress(bound: string | undefined, { origin, sealed }: Connected): Outcome | null {
	const other = bound !== undefined && bound !== origin;
	const elsewhere = { actual: bound ?? '', expected: origin };
	const here = parseOrigin(origin)!;
	if (isLoopback(here)) {
		if (other) return { status: 'warn', key: 'tee.check.binding.channel.elsewhere', params: elsewhere };
		return { status: 'pass', key: 'tee.check.binding.channel.loopback', params: { origin } };
	}
	if (other) return { status: 'fail', key: 'tee.check.binding.channel.origin', params: elsewhere };
	if (here.protocol !== 'https:') {
		const key = sealed ? 'tee.check.binding.channel.sealedhttp' : 'tee.check.binding.channel.http';
		return { status: 'warn', key, params: { origin } };
	}
	return bound === undefined ? { status: 'warn', key: 'tee.check.binding.channel.noorigin', params: { origin } } : null;
}

/** What else the verdict on the connection depends on. */
export interface Trust {
	/** What `platform.match` answered. */
	platform: Outcome;
	/** Whether the relying party trusts whoever administers the service, its machine and its name. */
	administrator: boolean;
}

function byKey(tls: BoundTls | undefined, { origin, tls_spki_sha256: seen }: Connected, trust: Trust): Outcome {
	const params = { origin };
	if (!tls) return { status: 'warn', key: 'tee.check.binding.channel.notls', params };
	if (tls.key === 'given') return { status: 'warn', key: 'tee.check.binding.channel.given', params };
	if (!seen && !trust.administrator) return { status: 'warn', key: 'tee.check.binding.channel.unseen', params };
	if (trust.platform.status !== 'pass') return { status: 'warn', key: 'tee.check.binding.channel.platform', params };
	return { status: 'pass', key: seen ? 'tee.check.binding.channel.tls' : 'tee.check.binding.channel.trusted', params };
}

/** What counts where a page seals all it sends: the key, and who could have changed the page that does so. */
function bySeal({ origin }: Connected, trust: Trust): Outcome {
	const params = { origin };
	if (!trust.administrator) return { status: 'warn', key: 'tee.check.binding.channel.page', params };
	if (trust.platform.status !== 'pass') return { status: 'warn', key: 'tee.check.binding.channel.sealedplatform', params };
	return { status: 'pass', key: 'tee.check.binding.channel.sealed', params };
}

/** Is the quote bound to where the client was connected? `runtimeData` is what the quote is proven to be bound to. */
export function checkChannel(runtimeData: RuntimeData, connected: Connected | null, trust: Trust): Outcome {
	if (!connected) return { status: 'warn', key: 'tee.check.binding.channel.unknown' };
	const { tls_spki_sha256: seen } = connected;
	const { tls } = runtimeData;
	if (tls && seen && tls.spki_sha256 !== seen)
		return { status: 'fail', key: 'tee.check.binding.channel.key', params: { actual: tls.spki_sha256, expected: seen } };
	if (connected.sealed && runtimeData.channel === undefined)
		return { status: 'fail', key: 'tee.check.binding.channel.nochannel' };
	const found = byAddress(runtimeData.origin, connected);
	return found ?? (connected.sealed && !seen ? bySeal(connected, trust) : byKey(tls, connected, trust));
}
