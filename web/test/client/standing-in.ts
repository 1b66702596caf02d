/** What the client asks of its page and of the verifier, as tests need it. */

import { vi } from 'vitest';
import type { Page } from '../../src/client/page.js';
import { NOTHING, type State } from '../../src/client/state.js';
import { english } from '../../src/shared/sentence.js';
import { CHECK_IDS, overall, type Check, type CheckId, type Status } from '../../src/shared/verdict.js';
import type { Report } from '../../src/verifier.js';

/** A whole report; `changes` are checks that did not pass. */
export function report(changes: Partial<Record<CheckId, Status>> = {}): Report {
	const checks = CHECK_IDS.map((id): Check => {
		const status = changes[id] ?? 'pass';
		return { id, status, title: `Title of ${id}`, detail: `${id}: ${status}.`, key: `tee.check.${id}.${status}`, params: {} };
	});
	const seen = { tcb_evaluation_data_number: 17, root_ca_crl_number: 1, pck_crl_number: 1 };
	const nothing = { tcb_evaluation_data_number: 0, root_ca_crl_number: 0, pck_crl_number: 0 };
	return {
		v: 1,
		overall: overall(checks),
		checks,
		facts: {},
		seen: { intel: seen, simulator: nothing },
		time: '2026-01-01T00:00:00.000Z',
		elapsed_ms: 1
	};
}

/** Green, amber twice, and red twice. */
export const GREEN = report();
export const WARNED = report({ 'release.match': 'warn' });
export const SIMULATED = report({ 'tee.real': 'fail' });
export const REFUSED = report({ 'quote.tcb': 'fail' });
export const FORGED = report({ 'quote.signature': 'fail' });

/** A round that ended with `found`. */
export const done = (found: Report, change: Partial<State> = {}): State => ({
	...NOTHING,
	phase: 'done',
	report: found,
	finishedAt: 1,
	...change
});

/** `found` with other words in some checks. */
export const saying = (found: Report, changes: Partial<Record<CheckId, Partial<Check>>>): Report => ({
	...found,
	checks: found.checks.map((check) => ({ ...check, ...changes[check.id] }))
});

/** A page that speaks English, is asked nothing and refuses nothing, until a test says otherwise. */
export function host({ ask, wait, ...change }: Partial<Page> = {}) {
	return {
		api: '/api/v1',
		isBackend: () => false,
		chat: () => '',
		say: english,
		...change,
		ask: vi.fn<Page['ask']>(ask ?? (() => Promise.resolve(false))),
		refuse: vi.fn<Page['refuse']>(),
		tell: vi.fn<Page['tell']>(),
		wait: vi.fn<Page['wait']>(wait ?? (() => () => undefined))
	};
}

export const QUOTE = { quote: '00ff', runtime_data: { v: 1 }, event_log: 'INIT', tee: 'simulated' };
export const CONFIG = {
	service: 'none',
	service_url: null,
	service_key: null,
	service_origins: ['https://as.example'],
	gate: 'warn',
	channel: 'off',
	max_age_s: 300,
	tee: 'simulated',
	launch: 'measured'
};

/** An answer of the server: its JSON, or a status with its body. */
export const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
	new Response(JSON.stringify(body), { status, headers });

/** Run what is due now and everything that this leads to, with the clock standing. */
export const settle = () => vi.advanceTimersByTimeAsync(0);
