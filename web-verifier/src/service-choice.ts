/** A chosen attestation service, and how its token is refused. */

import type { JsonObject } from './strict-json.js';
import type { Outcome } from './verdict.js';

export interface ServiceChoice {
	kind: 'alibaba' | 'trustee';
	/** Where the service answers; its origin is the issuer and the audience of Alibaba Cloud's tokens. */
	url: string;
	/** The pinned key: PEM (SubjectPublicKeyInfo) or a JWK as JSON. A key in a token's own header proves nothing. */
	key?: string;
	/** A JWKS fetched from the service itself, or pinned; never from the server being judged. */
	jwks?: { keys: JsonObject[] };
	/** Why the service could not be asked, where it could not. */
	problem?: string;
}

/** The token does not establish what it should; the message is one clause. */
export class TokenRefused extends Error {
	/** As the outcome of the check; `service` names whose token it is. */
	outcome(service: string): Outcome {
		return { status: 'fail', key: 'tee.check.service.token.invalid', params: { service, reason: this.message } };
	}
}

/** The token is valid, but about another quote. */
export class ClaimRefused extends TokenRefused {
	constructor(
		readonly field: string,
		readonly actual: string,
		readonly expected: string
	) {
		super(`its ${field} is ${actual}, the quote's is ${expected}`);
	}

	override outcome(service: string): Outcome {
		const { field, actual, expected } = this;
		return { status: 'fail', key: 'tee.check.service.token.claim', params: { service, field, actual, expected } };
	}
}

/** The service itself does not affirm the evidence. */
export class NotAffirmed extends TokenRefused {
	override outcome(service: string): Outcome {
		return { status: 'fail', key: 'tee.check.service.token.status', params: { service, actual: this.message } };
	}
}
