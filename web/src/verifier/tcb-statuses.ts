/** TCB statuses, by whose levels they may stand in (Intel PCS API version 4). */

import statuses from '../data/tcb_statuses.json';

/** The statuses that Intel gives in the levels of `whose`. */
export const statusesOf = (whose: 'platform' | 'qe' | 'module'): string[] =>
	Object.entries(statuses)
		.filter(([, { levels }]) => (levels as string[]).includes(whose))
		.map(([name]) => name);
