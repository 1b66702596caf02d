/**
 * A verdict as four questions that anybody has, and a fifth that nothing here answers. The checks beneath decide; what
 * is said here adds nothing to them and hides no failure: a step is as good as its worst check.
 */

import { clause, type Clause } from '../shared/sentence.js';
import { CHECK_IDS, type Check, type CheckId } from '../shared/verdict.js';
import type { State } from './state.js';
import { cannotCheck, notAsked } from './wording.js';

export type Answer = 'yes' | 'unsure' | 'no' | 'unknown';

export interface Step {
	id: 'hardware' | 'connection' | 'software' | 'data' | 'gpu';
	question: Clause;
	answer: Answer;
	sentence: Clause;
}

type Asked = 'hardware' | 'connection' | 'software' | 'data';

/** Which checks a step stands for, by the first part of their names; every check is in exactly one. */
const PARTS: Record<Asked, RegExp> = {
	hardware: /^(quote|tee|service)\./,
	connection: /^binding\./,
	software: /^(eventlog|release|platform)\./,
	data: /^data\./
};
const checksOf = (id: Asked): CheckId[] => CHECK_IDS.filter((check) => PARTS[id].test(check));
export const STEPS: Record<Asked, CheckId[]> = {
	hardware: checksOf('hardware'),
	connection: checksOf('connection'),
	software: checksOf('software'),
	data: checksOf('data')
};

const QUESTIONS: Record<Step['id'], Clause> = {
	hardware: clause('Does real hardware protect it?'),
	connection: clause('Is my connection private?'),
	software: clause('Is it the software I expect?'),
	data: clause('Is what I write encrypted on its disk?'),
	gpu: clause('Is the graphics processor protected, too?')
};

const YES: Record<Asked, Clause> = {
	hardware: clause('Yes: a genuine Intel processor vouches for this server and shields its memory, even from whoever runs the machine.'),
	connection: clause('Yes: what you send ends inside the server that was checked.'),
	software: clause('Yes: it is what the reference values that you hold name.'),
	data: clause('Yes: its owner has it opened by software that was verified, and by no other.')
};
const UNSURE: Record<Asked, Clause> = {
	hardware: clause('A genuine Intel processor vouches for it, but with a reservation: see the checks.'),
	connection: clause('Not proven: somebody between you and the server could be reading along.'),
	software: clause('It is known, but with a reservation: see the checks.'),
	data: clause('It says so, but with a reservation: see the checks.')
};
const NO: Record<Asked, Clause> = {
	hardware: clause('No: nothing proves that there is hardware that protects it.'),
	connection: clause('No: this answer was not made for you, or not by the server that you are connected to.'),
	software: clause('No: it is not the software that you expect.'),
	data: clause('No: what it says of that is not what was measured.')
};

/** Sentences for what is worth its own, by the key of the check that says it; the first that a step has. */
const PARTICULAR: Record<string, Clause> = {
	'tee.check.quote.signature.nocollateral': clause('Cannot be checked now: the lists of genuine processors could not be had.'),
	'tee.check.tee.real.simulated': clause('No: the hardware is imitated by software. It protects nothing.'),
	'tee.check.binding.channel.http': clause('No: it is not encrypted. Anybody on the way can read and change it.'),
	'tee.check.binding.channel.page': clause('Nobody on the way can read it. But whoever controls the name of this service could have changed this page.'),
	'tee.check.binding.channel.sealedhttp': clause('Nobody on the way can read it, but anybody there could have changed this page.'),
	'tee.check.binding.channel.loopback': clause('Yes: it does not leave the machine that you are using.'),
	'tee.check.release.match.changed': clause('No: it is not the same any more as what you trusted on {{date}}.'),
	'tee.check.platform.match.changed': clause('No: it is not the same any more as what you trusted on {{date}}.'),
	'tee.check.release.match.none': clause('Unknown: you hold nothing to compare it with. See “What you expect”.'),
	'tee.check.release.match.unmeasured': clause('Unknown: what runs there was not measured.'),
	'tee.check.platform.match.none': clause('Partly: the programs are known, but not the system that they run on.'),
	'tee.check.platform.match.unmeasured': clause('Yes, as long as whoever administers the machine has not changed it: nothing would show that.'),
	'tee.check.data.protected.plain': clause('No: it lies there in plain text, and whoever holds the disk can read it.'),
	'tee.check.data.protected.unsaid': clause('Unknown: it does not say how it keeps what people write.'),
	'tee.check.release.match.trusted': clause('Yes: it is the same as you trusted on {{date}}.')
};
const PROTECTED_BUT = clause('It is a genuine Intel processor, but its protection has gaps: out of date, or open to whoever runs the machine.');

/** Anybody can sign with the simulator's published key, whatever pleases them. */
const PROVES_NOTHING = clause('Nothing proves it: anybody can make simulated hardware say so.');
const isSimulated = (checks: Check[]): boolean => checks.some(({ key }) => key === 'tee.check.tee.real.simulated');

const NOT_CHECKED = clause('Not checked, because something before it failed.');
const IN_A_FILE = clause('Not checked: evidence in a file says nothing about a connection.');

const answerOf = (checks: Check[]): Answer => {
	const failed = checks.filter(({ status }) => status === 'fail');
	if (failed.some((check) => !notAsked(check))) return 'no';
	if (failed.length > 0) return 'unknown';
	return checks.some(({ status }) => status === 'warn') ? 'unsure' : 'yes';
};

const GENUINE_BUT = ['quote.tcb', 'quote.debug', 'service.token'];

const sentenceOf = (id: Asked, answer: Answer, checks: Check[]): Clause => {
	if (answer === 'unknown') return NOT_CHECKED;
	const weight = { no: 'fail', unsure: 'warn', yes: 'pass' }[answer];
	const deciding = checks.filter((check) => check.status === weight && !notAsked(check));
	const found = deciding.find(({ key }) => PARTICULAR[key]);
	const words = found && PARTICULAR[found.key];
	if (words) return { ...words, values: found.params };
	if (answer === 'no' && deciding.every((check) => GENUINE_BUT.includes(check.id))) return PROTECTED_BUT;
	return { yes: YES, unsure: UNSURE, no: NO }[answer][id];
};

/** The steps of `now`, in the order in which people ask; none before there is a verdict. `file`: its evidence is from elsewhere. */
export const stepsOf = (now: State, file = false): Step[] => {
	const { report } = now;
	if (!report) return [];
	const steps = (Object.keys(STEPS) as Asked[]).map((id): Step => {
		const checks = report.checks.filter((check) => STEPS[id].includes(check.id));
		if (file && id === 'connection') return { id, question: QUESTIONS[id], answer: 'unknown', sentence: IN_A_FILE };
		const answer = id === 'hardware' && cannotCheck(now) ? 'unknown' : answerOf(checks);
		if (answer === 'yes' && isSimulated(report.checks))
			return { id, question: QUESTIONS[id], answer: 'unknown', sentence: PROVES_NOTHING };
		const particular = answer === 'unknown' && checks.find(({ key }) => PARTICULAR[key]);
		const sentence = (particular && PARTICULAR[particular.key]) || sentenceOf(id, answer, checks);
		return { id, question: QUESTIONS[id], answer, sentence };
	});
	const gpu: Step = {
		id: 'gpu',
		question: QUESTIONS.gpu,
		answer: 'unknown',
		sentence: clause('Not checked: this version asks nothing of graphics processors.')
	};
	return [...steps, gpu];
};
