/**
 * node build.mjs --dcap-qvl DIR --out DIR [--simulator-root FILE] [--test-root-is-genuine]
 *
 * Writes verifier.js (one ES module, the same bytes for the same inputs) and verifier.d.ts into --out.
 * --test-root-is-genuine makes the simulator's root count as Intel's, for tests of the green state. A release never
 * carries it; the marker text in src/verifier/roots.ts makes its presence visible in the file.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = 'Usage: node build.mjs --dcap-qvl DIR --out DIR [--simulator-root FILE] [--test-root-is-genuine]';

class UsageError extends Error {}

function readArguments() {
	let values;
	try {
		({ values } = parseArgs({
			options: {
				'dcap-qvl': { type: 'string' },
				out: { type: 'string' },
				'simulator-root': { type: 'string' },
				'test-root-is-genuine': { type: 'boolean', default: false }
			}
		}));
	} catch (error) {
		throw new UsageError(`${error.message}\n${USAGE}`);
	}
	if (!values['dcap-qvl'] || !values.out) throw new UsageError(USAGE);
	const manifest = join(values['dcap-qvl'], 'package.json');
	if (!existsSync(manifest))
		throw new UsageError(`${manifest} is missing; --dcap-qvl names the folder of dcap-qvl-js 0.7.0.`);
	const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
	if (version !== '0.7.0') throw new UsageError(`${manifest} is version ${version}, not 0.7.0.`);
	return values;
}

async function main() {
	const values = readArguments();
	const { bundle } = await import('./bundling.mjs');
	const { target, size, gzip } = await bundle({
		dcapQvl: values['dcap-qvl'],
		out: resolve(values.out),
		simulatorRoot: values['simulator-root'] && resolve(values['simulator-root']),
		testRootIsGenuine: values['test-root-is-genuine']
	});
	console.log(`${target}: ${size} bytes, ${gzip} gzip`);
}

main().catch((error) => {
	console.error(error instanceof UsageError || !error.errors ? error.message : String(error));
	process.exit(error instanceof UsageError ? 2 : 1);
});
