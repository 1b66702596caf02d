/** What `bundle.mjs` puts together from dcap-qvl's JavaScript and the two roots. */
declare module '#dcap' {
	export interface VerifiedReport {
		status: string;
		advisory_ids: string[];
		/** The TD report as dcap-qvl read it: fields of raw bytes. */
		report: { asTd10(): Record<string, Uint8Array> | null; asTd15(): Record<string, unknown> | null };
	}
	export interface Verifier {
		allowDebug(allow: boolean): Verifier;
		allowServiceTd(allow: boolean): Verifier;
		verify(quote: Uint8Array, collateral: Record<string, string>, nowSeconds: number): VerifiedReport;
	}
	export const QuoteVerifier: { newWithRootCa(root: Uint8Array): Verifier };
	/** The very class that dcap-qvl tests its input against. */
	export const Buffer: { from(bytes: Uint8Array): Uint8Array };
	/** DER of the root inside dcap-qvl; `roots.ts` compares its fingerprint before it counts as Intel's. */
	export const intelRoot: Uint8Array;
	/** DER of the simulator's published test root. */
	export const simulatorRoot: Uint8Array;
}

/** True only in test builds that treat the simulator's root as Intel's; set by `build.mjs`, false in every release. */
declare const TEST_ROOT_IS_GENUINE: boolean;
