/** How a server is set up, as it says itself: proposals, which may lower a verdict and never raise it. */

import type { ServiceChoice } from '../verifier.js';

export type Gate = 'off' | 'warn' | 'block';

/** Every gate, from the laxest to the strictest. */
export const GATES: readonly Gate[] = ['off', 'warn', 'block'];

/** Whether the encrypted channel is required, there for whoever uses it, or not there. */
export type ChannelMode = 'require' | 'offer' | 'off';
const CHANNELS: readonly unknown[] = ['require', 'offer', 'off'];

/** What `GET /api/v1/tee/config` answers. */
export type TeeConfig = {
	service: 'none' | ServiceChoice['kind'];
	service_url: string | null;
	service_key: string | null;
	/** The origins of the services that the pages' policy lets them ask. */
	service_origins: string[];
	gate: Gate;
	channel: ChannelMode;
	/** How many seconds a verdict counts as fresh. */
	max_age_s: number;
	tee: string;
	launch: string;
};

/** No server may make a verdict last longer than this, whatever it proposes. */
const MAX_AGE_S = 3600;
const USUAL_AGE_S = 300;

/** The answer, made safe: what is unknown counts as the strictest, so that a damaged answer opens nothing. */
export const asConfig = (answer: Omit<TeeConfig, 'channel'> & { channel?: ChannelMode }): TeeConfig => {
	const { channel = 'off' } = answer; // a door that knows no channel says nothing of it
	const age = Number(answer.max_age_s);
	return {
		...answer,
		gate: GATES.includes(answer.gate) ? answer.gate : 'block',
		channel: CHANNELS.includes(channel) ? channel : 'require',
		max_age_s: Number.isFinite(age) && age > 0 ? Math.min(age, MAX_AGE_S) : USUAL_AGE_S
	};
};

/** For how many seconds a verdict may be relied on. */
export const maxAge = (config: TeeConfig | null): number => config?.max_age_s ?? USUAL_AGE_S;

/** The stricter of what the server proposes and what the person chose; `warn` while the server has not answered. */
export const strictest = (config: TeeConfig | null, own: Gate | null): Gate => {
	const order = Math.max(GATES.indexOf(config?.gate ?? 'warn'), GATES.indexOf(own ?? 'off'));
	return GATES[order] ?? 'block';
};
