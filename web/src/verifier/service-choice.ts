/** A chosen attestation service, and how its token is refused. */

import type services from '../data/services.json';
import { clause, Reason, type Clause } from '../shared/sentence.js';
import { foreign } from './reason.js';
import type { JsonObject } from '../shared/strict-json.js';
import type { Outcome } from './outcome.js';

export interface ServiceChoice {
	kind: keyof typeof services;
	/** Where the service answers; its origin is the issuer and the audience of Alibaba Cloud's tokens. */
	url: string;
	/** The pinned key: PEM (SubjectPublicKeyInfo) or a JWK as JSON. A key in a token's own header proves nothing. */
	key?: string;
	/** A JWKS fetched from the service itself, or pinned; never from the server being judged. */
	jwks?: { keys: JsonObject[] };
	/** Why the service could not be asked, where it could not: a clause that can be translated, or a text that cannot. */
	problem?: string | Clause;
}

/** The token does not establish what it should; the message is one clause. */
export class TokenRefused extends Reason {
	/** As the outcome of the check; `service` names whose token it is. */
	outcome(service: string | Clause): Outcome {
		return { status: 'fail', key: 'tee.check.service.token.invalid', params: { service, reason: this.clause } };
	}
}

/** The token is valid, but about another quote. */
export class ClaimRefused extends TokenRefused {
	constructor(
		readonly field: string,
		readonly actual: string | Clause,
		readonly expected: string
	) {
		super(clause("its {{field}} is {{actual}}, the quote's is {{expected}}", { field, actual, expected }));
	}

	override outcome(service: string | Clause): Outcome {
		const { field, actual, expected } = this;
		return { status: 'fail', key: 'tee.check.service.token.claim', params: { service, field, actual, expected } };
	}
}

/** The service itself does not affirm the evidence. */
export class NotAffirmed extends TokenRefused {
	constructor(readonly actual: string) {
		super(foreign(actual));
	}

	override outcome(service: string | Clause): Outcome {
		const { actual } = this;
		return { status: 'fail', key: 'tee.check.service.token.status', params: { service, actual } };
	}
}
