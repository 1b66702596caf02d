/** Where attestation services answer: an address is given with the service's documented path or without. */

import { alibaba, trustee } from '../data/services.json';

export const SERVICE_PATHS = { alibaba: alibaba.path, trustee: trustee.path };
export type ServiceKind = keyof typeof SERVICE_PATHS;

/** The address that the service's documented path is below, whether `url` ends with that path or not. */
export function serviceBase(kind: ServiceKind, url: string): string {
	const bare = url.replace(/\/+$/, '');
	return bare.endsWith(SERVICE_PATHS[kind]) ? bare.slice(0, -SERVICE_PATHS[kind].length) : bare;
}
