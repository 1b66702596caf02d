/** Every sentence of a verdict, by its stable key. {{placeholders}} are i18next's. Translations replace the values. */

import { CHECK_IDS, titleOf, type CheckId } from '../shared/verdict.js';

type Titles = { readonly [id in CheckId as `tee.check.${id}.title`]: string };

export const messages = {
	...(Object.fromEntries(CHECK_IDS.map((id) => [`tee.check.${id}.title`, titleOf(id)])) as Titles),

	'tee.check.quote.format.pass': 'The quote is a version {{version}} TDX quote ({{body}}, {{size}} bytes).',
	'tee.check.quote.format.bundle': 'The evidence cannot be read: {{reason}}',
	'tee.check.quote.format.malformed': 'The quote cannot be read: {{reason}}.',
	'tee.check.blocked': 'This could not be checked because {{check}} failed.',

	'tee.check.internal': 'This check could not be completed: {{reason}}.',

	'tee.check.quote.signature.pass':
		'The signature, its certificate chain and the collateral (of {{date}}, {{days}} d old) are valid under "{{root}}".',
	'tee.check.quote.signature.simulated':
		"The signature, its certificate chain and the collateral (of {{date}}, {{days}} d old) are valid, signed by the simulator's published test root, not Intel's (SHA-256 {{fingerprint}}).",
	'tee.check.quote.signature.invalid': 'The quote is not genuine: {{reason}}.',
	'tee.check.quote.signature.collateral': 'The collateral cannot be used: {{reason}}.',
	'tee.check.quote.signature.nocollateral': 'There is no collateral, without which no signature can be checked.',
	'tee.check.quote.signature.rollback':
		'The collateral is older than what was seen before: {{what}} {{actual}}, already seen {{expected}}.',

	'tee.check.quote.tcb.uptodate': 'The TCB status is UpToDate (TCB date {{date}}, evaluation {{evaluation}}).',
	'tee.check.quote.tcb.tolerated':
		'The TCB status is {{actual}} (TCB date {{date}}, advisories: {{advisories}}), which the policy tolerates.',
	'tee.check.quote.tcb.outofdate':
		'The TCB status is {{actual}} (TCB date {{date}}, advisories: {{advisories}}); the policy allows {{expected}}.',
	'tee.check.quote.tcb.advisory': 'The platform is subject to {{actual}}, which the policy refuses.',
	'tee.check.quote.tcb.advisories': 'The TCB status is UpToDate, but advisories apply: {{advisories}}.',
	'tee.check.quote.tcb.minimum': '{{field}} is {{actual}}; the policy asks for at least {{expected}}.',
	'tee.check.quote.tcb.flag': "The platform's {{field}} is {{actual}}; the policy asks for {{expected}}.",
	'tee.check.quote.tcb.revoked': "The TCB status is Revoked: the platform's keys are not to be trusted.",
	'tee.check.quote.tcb.below': 'The TCB has no status, as {{reason}}. Nothing accepts that: the platform must be updated.',

	'tee.check.quote.debug.pass': 'The TD is neither debuggable nor migratable (td_attributes {{actual}}).',
	'tee.check.quote.debug.debug':
		'The TD is under debug ({{bits}}): the host can read its memory (td_attributes {{actual}}).',
	'tee.check.quote.debug.migratable': 'The TD can be migrated to another platform (td_attributes {{actual}}).',
	'tee.check.quote.debug.migrationaccepted':
		'The policy accepts that the TD can be migrated to another platform (td_attributes {{actual}}).',
	'tee.check.quote.debug.servicetd':
		"A service TD is bound to this TD: another TD, of the cloud's choosing, which may reach into this one. Whoever trusts it names it in the policy (platform.mr_service_td) or in the reference values: {{actual}}.",
	'tee.check.quote.debug.servicetdaccepted':
		'The policy accepts the service TD that is bound to this TD, which may reach into it: {{actual}}.',
	'tee.check.quote.debug.servtdext': 'The TD has extended service TDs (td_attributes {{actual}}).',
	'tee.check.quote.debug.refused': "dcap-qvl refuses the TD's attributes: {{reason}}.",
	'tee.check.quote.debug.septve':
		'SEPT_VE_DISABLE is not set, so the host can inject exceptions (td_attributes {{actual}}).',
	'tee.check.quote.debug.reserved': 'Reserved bits are set in td_attributes {{actual}}.',

	'tee.check.tee.real.pass': "The certificate chain ends in Intel's root.",
	'tee.check.tee.real.test': '{{marker}}.',
	'tee.check.tee.real.simulated':
		"The TEE is simulated: the chain ends in the simulator's published test root, so nothing is protected.",

	'tee.check.binding.nonce.pass': 'The quote was made {{age}} s before it was judged, for the nonce that was sent.',
	'tee.check.binding.nonce.newer':
		'The quote was made {{age}} s before it was judged, for the nonce that was sent, but this server says something newer than this verifier: {{name}}.',
	'tee.check.binding.nonce.old': 'The evidence is {{actual}} s old; at most {{expected}} s are accepted.',
	'tee.check.binding.nonce.future': 'The evidence is dated {{actual}} s in the future.',
	'tee.check.binding.nonce.missing': 'The evidence carries no nonce to compare with.',
	'tee.check.binding.nonce.malformed': 'The runtime data cannot be read: {{reason}}.',
	'tee.check.binding.nonce.proof': 'The proof for the nonce that was sent cannot be used: {{reason}}.',
	'tee.check.binding.nonce.replayed':
		'The proof does not lead from the nonce that was sent ({{expected}}) to the root that the quote binds: this may be an old answer.',
	'tee.check.binding.nonce.reportdata':
		"The quote's report_data is {{actual}}, not the hash of the runtime data ({{expected}}).",

	'tee.check.binding.channel.tls': 'The quote is bound to {{origin}} and to the TLS key it uses, drawn in the TD.',
	'tee.check.binding.channel.trusted':
		'The quote is bound to {{origin}}, and you trust whoever administers this service, its machine and its name.',
	'tee.check.binding.channel.loopback': 'The connection to {{origin}} stays on the machine that asks.',
	'tee.check.binding.channel.noorigin':
		'The service has no public origin configured, so the quote is not bound to {{origin}}.',
	'tee.check.binding.channel.unknown': 'It is not known which origin the evidence was fetched from.',
	'tee.check.binding.channel.http':
		'The connection to {{origin}} is plain http: anybody on the way can read and change it.',
	'tee.check.binding.channel.notls':
		'The quote is bound to {{origin}}, but to no TLS key: whoever ends TLS there may sit between.',
	'tee.check.binding.channel.given':
		'The TLS key of {{origin}} was given to the TD: somebody else may hold it, and sit between.',
	'tee.check.binding.channel.unseen':
		"The quote is bound to {{origin}} and to a TLS key, but a browser cannot see its connection's key to compare it: whoever controls that name may sit between, and could have changed this page.",
	'tee.check.binding.channel.sealed':
		'What is sent to {{origin}} is sealed to the key that the quote is bound to, and you trust whoever administers this service, its machine and its name.',
	'tee.check.binding.channel.page':
		'What is sent to {{origin}} is sealed to the key that the quote is bound to. But whoever controls that name could have changed this page.',
	'tee.check.binding.channel.sealedhttp':
		'What is sent to {{origin}} is sealed to the key that the quote is bound to. But the connection is plain http: anybody on the way could have changed this page.',
	'tee.check.binding.channel.sealedplatform':
		'The key of the encrypted channel of {{origin}} is said to be drawn in the TD, but the platform is not known to be one whose programs nobody could have changed.',
	'tee.check.binding.channel.nochannel':
		'The client says that it uses an encrypted channel, but the quote is bound to no key of one.',
	'tee.check.binding.channel.platform':
		'The TLS key of {{origin}} is said to be drawn in the TD, but the platform is not known to be one whose programs nobody could have changed.',
	'tee.check.binding.channel.elsewhere':
		'The quote is bound to origin {{actual}}, reached as {{expected}} on the machine that asks.',
	'tee.check.binding.channel.origin': 'The quote is bound to origin {{actual}}, but the connection went to {{expected}}.',
	'tee.check.binding.channel.key':
		"The connection's TLS key is not the TD's: the quote is bound to {{actual}}, but {{expected}} is used.",

	'tee.check.eventlog.replay.pass': 'The log replays to RTMR 3, event by event ({{count}}).',
	'tee.check.eventlog.replay.newer':
		'The log replays to RTMR 3, but this server says something newer than this verifier: {{names}}.',
	'tee.check.eventlog.replay.unmeasured': 'The launch was not measured: RTMR 3 is empty.',
	'tee.check.eventlog.replay.missing': 'There is no event log that explains RTMR 3 ({{actual}}).',
	'tee.check.eventlog.replay.malformed': 'The event log cannot be read: {{reason}}.',
	'tee.check.eventlog.replay.mismatch': 'The event log replays to {{expected}}, but RTMR 3 is {{actual}}.',

	'tee.check.release.match.pass': 'Every measured event ({{count}}) is among the reference values "{{name}}".',
	'tee.check.release.match.trusted': 'All measured events are the same as you trusted on {{date}}.',
	'tee.check.release.match.none': 'There are no reference values to compare the software with.',
	'tee.check.release.match.unmeasured': 'Nothing was measured that could be compared with reference values.',
	'tee.check.release.match.changed': 'The software changed since you trusted it on {{date}}: {{parts}}. In detail: {{changes}}',
	'tee.check.release.match.fail':
		'The {{component}} is not among the reference values "{{name}}": actual {{actual}}; expected {{expected}}.',
	'tee.check.release.match.gaps': 'The launch did not measure: {{missing}}.',
	'tee.check.release.match.twice': 'The launch measured more than one {{names}}.',
	'tee.check.release.match.unended': 'The log does not end with a launch: what is in force now is not known.',
	'tee.check.release.match.apart': 'No single document of reference values knows this {{names}} together.',
	'tee.check.release.match.origin': 'The evidence is for {{actual}}, but the launch measured {{expected}}.',
	'tee.check.release.match.site': 'What the site chose cannot be judged: {{reason}}.',
	'tee.check.release.match.attester': "The attester's release is {{actual}}, but the launch measured {{expected}}.",
	'tee.check.release.match.doubtful': 'Every event ({{count}}) is known, but {{doubts}}.',
	'tee.check.release.match.malformed': 'The reference values cannot be used: {{reason}}.',

	'tee.check.platform.match.pass': 'The platform is known, and it measures every program: {{established}}.',
	'tee.check.platform.match.administrator': 'The platform is known: {{established}}. You trust whoever administers its machine.',
	'tee.check.platform.match.unmeasured':
		'The platform is known: {{established}}. But whoever administers its machine could have changed the programs, and nothing would show it.',
	'tee.check.platform.match.newer':
		'The platform is known: {{established}}. But the reference values say something newer than this verifier: {{name}}.',
	'tee.check.platform.match.none': 'There are no reference values for the platform: firmware and kernel are unknown.',
	'tee.check.platform.match.changed': 'The platform changed since you trusted it on {{date}}: {{parts}}. In detail: {{changes}}',
	'tee.check.platform.match.fail':
		'The platform differs from the reference values "{{name}}" in {{fields}}: {{changes}}.',
	'tee.check.platform.match.policy': "The platform's {{field}} is {{actual}}; the policy allows {{expected}}.",
	'tee.check.platform.match.malformed': 'The reference values cannot be used: {{reason}}.',

	'tee.check.service.token.none': 'No attestation service is chosen.',
	'tee.check.service.token.pass': '{{service}} vouches for the same quote until {{expires}}.',
	'tee.check.service.token.unreachable': '{{service}} could not be asked: {{reason}}.',
	'tee.check.service.token.missing': 'The number of tokens of {{service}} is {{actual}}, expected 1.',
	'tee.check.service.token.required': 'The policy requires {{service}}, which was not chosen.',
	'tee.check.service.token.warning': '{{service}} appraises the evidence with a warning.',
	'tee.check.service.token.nowebcrypto':
		'The token cannot be checked: this page has no WebCrypto, as it came over plain http.',
	'tee.check.service.token.nokey': 'The token cannot be checked: no key of {{service}} is known here.',
	'tee.check.service.token.invalid': 'The token of {{service}} is refused: {{reason}}.',
	'tee.check.service.token.claim':
		"The token of {{service}} is about something else: {{field}} is {{actual}}, the quote's is {{expected}}.",
	'tee.check.service.token.status': '{{service}} does not affirm the evidence: its status is {{actual}}.',

	'tee.check.data.protected.pass': 
		'What the service keeps is encrypted by {{program}}; only {{owner}} can have it opened.',
	'tee.check.data.protected.trustee':
		'What the service keeps is encrypted by {{program}}; only {{owner}} can have it opened, by a key that {{where}} releases.',
	'tee.check.data.protected.plain':
		'What people write lies on the disk of the service in plain text: whoever holds the disk reads it.',
	'tee.check.data.protected.unsaid': 'The evidence does not say how what the service keeps lies on its disk.',
	'tee.check.data.protected.elsewhere':
		'What the service keeps is encrypted for {{owner}}, but what people write is kept elsewhere, too, by these settings: {{settings}}.',
	'tee.check.data.protected.platform':
		'What the service keeps is said to be encrypted, but the platform is not known to be one whose programs nobody could have changed.',
	'tee.check.data.protected.unmeasured':
		'What the service keeps is said to be encrypted, but the launch was not measured: nobody knows whose key opens it.',
	'tee.check.data.protected.owner':
		'What the service keeps is said to be encrypted for {{actual}}, but the launch measured {{expected}} as its owner.',
	'tee.check.data.protected.denied':
		'The launch measured {{expected}} as the owner of encrypted data, but the evidence says {{actual}}.',
	'tee.check.data.protected.program':
		'What the service keeps is said to be encrypted, but the launch measured nothing that encrypts it.',
	'tee.check.data.protected.site': 'What the site chose cannot be judged: {{reason}}.'
} as const;

export type MessageKey = keyof typeof messages;
