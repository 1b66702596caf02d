/**
 * The encrypted channel (docs/channel.md), as the page uses it: requests sealed to a key that the evidence binds, answers
 * and messages opened. Loaded when there is such a key. What it says of a verdict: nothing.
 */

export type { AnswerHead, Fields, RequestHead } from './channel/binary-http.js';
export { AnswerReader, encodeRequestHead } from './channel/binary-http.js';
export { SealedError, TruncatedError } from './channel/errors.js';
export type { Answer } from './channel/exchange.js';
export { ClientExchange, INSTEAD_OF, nameOf } from './channel/exchange.js';
export type { KeyConfig } from './channel/key-config.js';
export { decodeKeyConfig } from './channel/key-config.js';
export { BINARY, CLOSE, decodeMessage, encodeMessage, TEXT } from './channel/messages.js';
export { openAnswer, sealRequest } from './channel/requests.js';
export { suite } from './channel/suite.js';
