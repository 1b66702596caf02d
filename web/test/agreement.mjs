/**
 * node agreement.mjs RELEASE TEST_ROOT: answers questions (tests/agreement/questions.py), one JSON object a line, with
 * the two bundled verifiers that it is given; the second counts the simulator's root as Intel's.
 */

import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [release, testRoot] = await Promise.all(
	process.argv.slice(2).map((path) => import(pathToFileURL(path).href))
);

function inputOf({ now, references, policy, services, seen }) {
	return {
		now,
		policy,
		references: references.length > 0 ? references : undefined,
		service: services.map(({ service, url, keys }) => ({ kind: service, url, jwks: keys })),
		seen: seen && { intel: seen, simulator: seen }
	};
}

async function answer(question) {
	const api = question.genuine ? testRoot : release;
	const input = inputOf(question);
	try {
		if (input.references) api.parseReferences(input.references);
		const { bare, bundle } = question;
		const report = bare
			? api.verifyQuote(bare.quote, bare.collateral, input)
			: await api.verify({ ...input, bundle });
		const pairs = (name) => Object.fromEntries(report.checks.map((check) => [check.id, check[name]]));
		return { overall: report.overall, checks: pairs('status'), details: pairs('detail') };
	} catch (error) {
		return { refused: error.message };
	}
}

for await (const line of createInterface({ input: process.stdin })) {
	process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
