/** SHA-256 and SHA-384 in JavaScript: WebCrypto is missing from pages on plain http. */

import { sha256 as nobleSha256, sha384 as nobleSha384 } from '@noble/hashes/sha2.js';

export const sha256 = (bytes: Uint8Array): Uint8Array => nobleSha256(bytes);
export const sha384 = (bytes: Uint8Array): Uint8Array => nobleSha384(bytes);
