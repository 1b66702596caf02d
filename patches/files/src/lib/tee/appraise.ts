/** From evidence to what the page shows: the verifier's report, in the worker. */
import { ask } from './engine';
import type { Memory } from './memory';
import { chosenService, keysOf } from './service';
import type { Bundle, Report, TeeConfig } from './types';

/**
 * Judge `bundle`. What the person loaded or trusted takes part, and so does the service that they chose; the server's
 * own settings only propose that service.
 */
export const appraise = async (
	bundle: Bundle,
	memory: Memory,
	config: TeeConfig | null
): Promise<Report> => {
	const service = chosenService(memory, config);
	const jwks = service ? await keysOf(service) : undefined;
	return ask<Report>('verify', [
		{
			bundle,
			references: memory.references ?? undefined,
			trusted: memory.trusted ?? undefined,
			seen: memory.seen ?? undefined,
			service: service ? { ...service, jwks } : undefined
		}
	]);
};

/** Judge a bundle's text as a file tells it; it neither adds to what was seen nor changes the shield. */
export const appraiseFile = async (text: string, memory: Memory): Promise<[Bundle, Report]> => {
	const bundle = await ask<Bundle>('readBundle', [text]);
	const report = await ask<Report>('verify', [
		{ bundle, references: memory.references ?? undefined, trusted: memory.trusted ?? undefined }
	]);
	return [bundle, report];
};
