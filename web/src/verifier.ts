/** The public interface; in a worker, the same functions answer messages. */

export { attributes, debugBits } from './verifier/attributes.js';
export { newNonce } from './shared/nonce.js';
export { reportData } from './verifier/runtime-data.js';
export type { CertificateSummary } from './verifier/certificates.js';
export type { Seen, SeenByRoot } from './verifier/collateral.js';
export { replay, type LogEvent, type Replay } from './verifier/event-log.js';
export { readBundle, writeBundle, type Connected, type Evidence, type ServiceToken } from './shared/evidence.js';
export { messages, type MessageKey } from './verifier/messages.js';
export type { Policy } from './verifier/policy.js';
export { parseQuote, type ParsedQuote, type TdReport } from './verifier/quote.js';
export type { Clause } from './shared/sentence.js';
export { parseReferences, type Platform, type References } from './verifier/references.js';
export type { ServiceChoice } from './verifier/service-choice.js';
export type { TcbFacts } from './verifier/tcb.js';
export { canTrust } from './shared/verdict.js';
export { compareTrusted, trustSnapshot, type Difference, type Snapshot } from './verifier/trust.js';
export {
	CHECK_IDS,
	shield,
	type Check,
	type CheckId,
	type Overall,
	type Status,
	type Verdict
} from './shared/verdict.js';
export { certificateChain, verify, verifyQuote, type Facts, type Report, type VerifyInput } from './verifier/verify.js';
export { call, methods, type Request, type Response } from './verifier/worker.js';

import { listen } from './verifier/worker.js';

listen();
