/** Compiled by `npm run check` only: the hand-written declarations equal the sources' types. */

import type * as Declared from '../verifier.js';
import * as actual from '../src/verifier.js';

type Api = { [name in keyof typeof Declared]: (typeof Declared)[name] };
const forwards: Api = actual;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const equal: [
	Same<Declared.ParsedQuote, actual.ParsedQuote>,
	Same<Declared.Evidence, actual.Evidence>,
	Same<Declared.Facts, actual.Facts>,
	Same<Declared.VerifyInput, actual.VerifyInput>,
	Same<Declared.Method, keyof typeof actual.methods>,
	Same<Declared.Snapshot, actual.Snapshot>,
	Same<Declared.References, actual.References>,
	Same<Declared.Difference, actual.Difference>,
	Same<Declared.CheckId, actual.CheckId>,
	Same<Declared.ServiceChoice, actual.ServiceChoice>,
	Same<Declared.Check, actual.Check>,
	Same<Declared.Response, actual.Response>
] = [true, true, true, true, true, true, true, true, true, true, true, true];
export { forwards, equal };
