/** What stands outside of a sealed message, where anybody on the way reads it: address, media types, problem types. */

export const PATH = '/api/v1/tee/channel';
export const REQUEST_TYPE = 'message/ohttp-chunked-req';
export const ANSWER_TYPE = 'message/ohttp-chunked-res';
/** The key is gone (RFC 9458, section 5.3). */
export const KEY_PROBLEM = 'https://iana.org/assignments/http-problem-types#ohttp-key';
/** The clocks are apart (RFC 9458, section 6.5.2). */
export const DATE_PROBLEM = 'https://iana.org/assignments/http-problem-types#date';
