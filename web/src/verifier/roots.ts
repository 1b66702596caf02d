/** The two roots that a quote may chain to. What is not one of them, byte for byte, proves nothing. */

import { intelRoot, simulatorRoot } from '#dcap';
import { sha256 } from './hash.js';
import { toHex } from '../shared/bytes.js';
import { clause, type Clause } from '../shared/sentence.js';

/** SHA-256 of Intel's "Intel SGX Root CA" certificate in DER. The bundled copy comes from elsewhere: compare it. */
export const INTEL_ROOT_SHA256 = '44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3';

/** Says in the built file itself that the simulator counts as real; a release must not hold this text. */
const MARKER = 'OPEN-WEBUI-TDX TEST BUILD: THE SIMULATOR COUNTS AS REAL HARDWARE';

export interface Root {
	kind: 'intel' | 'simulator';
	der: Uint8Array;
	/** Whether a quote under this root comes from real hardware. */
	real: boolean;
	name: Clause;
	/** Only in test builds. */
	marker?: string;
}

if (toHex(sha256(intelRoot)) !== INTEL_ROOT_SHA256)
	throw new Error(
		`The bundled root is not Intel's: SHA-256 ${toHex(sha256(intelRoot))}, expected ${INTEL_ROOT_SHA256}.`
	);

export const INTEL: Root = { kind: 'intel', der: intelRoot, real: true, name: clause("Intel's root") };
const simulator = { kind: 'simulator', der: simulatorRoot, name: clause("the simulator's test root") } as const;
export const SIMULATOR: Root = TEST_ROOT_IS_GENUINE
	? { ...simulator, real: true, marker: MARKER }
	: { ...simulator, real: false };
export const ROOTS: readonly Root[] = [INTEL, SIMULATOR];
