/** What a relying party accepts. The defaults are strict: an up-to-date platform and nothing else. */

export interface Policy {
	/** TCB statuses beyond UpToDate that are tolerated, as a warning. */
	tcb_statuses: string[];
	/** Advisories that are refused whatever the status. */
	refused_advisories: string[];
}

export const DEFAULT_POLICY: Policy = { tcb_statuses: [], refused_advisories: [] };
