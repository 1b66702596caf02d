/** What both verifiers know is written once, in `src/data`: no source lists it again. `tests/quote_verifier/test_data.py` is its twin. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import checks from '../src/data/checks.json';
import events from '../src/data/events.json';
import claims from '../src/data/service_claims.json';
import statuses from '../src/data/tcb_statuses.json';
import report from '../src/data/td_report.json';

const SOURCES = join(import.meta.dirname, '../src');
const files = (readdirSync(SOURCES, { recursive: true }) as string[]).filter((name) => name.endsWith('.ts')).sort();
/** A list that holds this much of the names is the list again; a smaller one has a meaning of its own. */
const SHARE = 0.6;
const NAMES: Record<string, string[]> = {
	'the checks of a quote': Object.keys(checks.quote),
	'the checks of a server': Object.keys(checks.server),
	'the fields of a TD report': Object.keys(report.td_10),
	'the fields of a platform': Object.keys(report.platform),
	'the operations of the event log': Object.keys(events),
	'the TCB statuses': Object.keys(statuses),
	'the claims of a token': claims.required
};

/** The names that a list, an object, a union or an interface writes out; of pairs, the first. */
function written(node: ts.Node): string[] {
	const text = (one: ts.Node): string[] => {
		if (ts.isArrayLiteralExpression(one)) return one.elements[0] ? text(one.elements[0]) : [];
		if (ts.isLiteralTypeNode(one)) return text(one.literal);
		return ts.isStringLiteral(one) || ts.isIdentifier(one) ? [one.text] : [];
	};
	if (ts.isArrayLiteralExpression(node)) return node.elements.flatMap(text);
	if (ts.isUnionTypeNode(node)) return node.types.flatMap(text);
	if (ts.isObjectLiteralExpression(node)) return node.properties.flatMap(({ name }) => (name ? text(name) : []));
	if (ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node))
		return node.members.flatMap(({ name }) => (name ? text(name) : []));
	return [];
}

function repeated(source: string): string[] {
	const found: string[] = [];
	const visit = (node: ts.Node): void => {
		const names = new Set(written(node));
		for (const [what, listed] of Object.entries(NAMES))
			if (listed.filter((name) => names.has(name)).length >= SHARE * listed.length) found.push(what);
		node.forEachChild(visit);
	};
	visit(ts.createSourceFile('x.ts', source, ts.ScriptTarget.Latest));
	return found;
}

test.each(files)('%s', (file) =>
	expect(repeated(readFileSync(join(SOURCES, file), 'utf8'))).toEqual([])
);

test.each(Object.entries(NAMES))('%s written out would be found', (what, listed) => {
	const quoted = listed.map((name) => `'${name}'`);
	for (const source of [
		`const x = [${quoted.join()}];`,
		`const x = [${quoted.map((name) => `[${name}, 48]`).join()}];`,
		`const x = { ${quoted.map((name) => `${name}: 1`).join()} };`,
		`type X = ${quoted.join(' | ')};`,
		`interface X { ${quoted.map((name) => `${name}: string`).join(';')} }`
	])
		expect(repeated(source), source).toContain(what);
});

test('addresses and algorithms of services stand in the data alone', () => {
	for (const file of files)
		expect(readFileSync(join(SOURCES, file), 'utf8'), file).not.toMatch(/aliyuncs|RS256|ES256/);
});
