/** From evidence to what the page shows: the verifier's report, made in the worker. */

import type { Evidence } from '../shared/evidence.js';
import { isObject } from '../shared/strict-json.js';
import type { Report, ServiceChoice } from '../verifier.js';
import { ask } from './engine.js';
import type { Memory } from './memory.js';

const held = ({ references, trusted }: Memory) => ({
	references: references ?? undefined,
	trusted: trusted ?? undefined
});

/** Whom the person trusts holds for the server that they said it of, not for evidence from elsewhere. */
const trust = ({ administrator }: Memory) =>
	administrator ? { policy: { platform: { trust_administrator: true } } } : {};

/** Whether the reference values name events of the boot, so that a boot log could say which of them differ. */
export const explained = ({ references }: Memory): boolean => {
	const platforms = references?.['platforms'];
	return Array.isArray(platforms) && platforms.some((one) => isObject(one) && 'boot_events' in one);
};

/**
 * Judge `bundle`. What the person loaded or trusted takes part, and so does the service that was asked; nothing that
 * the server being judged says about itself does.
 */
export const appraise = (
	bundle: Evidence,
	memory: Memory,
	service: ServiceChoice | null
): Promise<Report> =>
	ask('verify', [
		{ bundle, ...held(memory), ...trust(memory), seen: memory.seen ?? undefined, service: service ?? undefined }
	]);

/** Judge a bundle's text as a file tells it, at the time it states; it changes neither memory nor shield. */
export const appraiseFile = async (text: string, memory: Memory): Promise<[Evidence, Report]> => {
	const bundle = await ask('readBundle', [text]);
	return [bundle, await ask('verify', [{ bundle, ...held(memory), now: bundle.time }])];
};
