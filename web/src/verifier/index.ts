/** The public interface; in a worker, the same functions answer messages. */

export { attributes, debugBits } from './attributes.js';
export { newNonce, reportData } from './binding.js';
export type { CertificateSummary } from './certificates.js';
export type { Seen, SeenByRoot } from './collateral.js';
export { replay, type LogEvent, type Replay } from './event-log.js';
export { readBundle, writeBundle, type Connected, type Evidence, type ServiceToken } from './evidence.js';
export { messages, type MessageKey } from './messages.js';
export type { Policy } from './policy.js';
export { parseQuote, type ParsedQuote, type TdReport } from './quote.js';
export type { Clause } from './reason.js';
export { parseReferences, type Platform, type References } from './references.js';
export type { ServiceChoice } from './service-choice.js';
export type { TcbFacts } from './tcb.js';
export { canTrust, compareTrusted, trustSnapshot, type Difference, type Snapshot } from './trust.js';
export { CHECK_IDS, shield, type Check, type CheckId, type Overall, type Status, type Verdict } from './verdict.js';
export { certificateChain, verify, verifyQuote, type Facts, type Report, type VerifyInput } from './verify.js';
export { call, methods, type Request, type Response } from './worker.js';

import { listen } from './worker.js';

listen();
