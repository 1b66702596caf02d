/**
 * node build.mjs --dcap-qvl DIR --out DIR [--simulator-root FILE] [--test-root-is-genuine]
 *
 * Writes verifier.js (one ES module, the same bytes for the same inputs) and verifier.d.ts into --out.
 * --test-root-is-genuine makes the simulator's root count as Intel's, for tests of the green state. A release never
 * carries it; the marker text in src/roots.ts makes its presence visible in the file.
 */

import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { commonOptions, HERE } from './bundling.mjs';

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
	if (!existsSync(manifest)) throw new UsageError(`${manifest} is missing; --dcap-qvl names the folder of dcap-qvl-js 0.7.0.`);
	const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
	if (version !== '0.7.0') throw new UsageError(`${manifest} is version ${version}, not 0.7.0.`);
	return values;
}

async function main() {
	const values = readArguments();
	const { build } = await import('esbuild');
	const out = resolve(values.out);
	mkdirSync(out, { recursive: true });
	const simulatorRoot = values['simulator-root'] && resolve(values['simulator-root']);
	const result = await build({
		...commonOptions(values['dcap-qvl'], simulatorRoot),
		entryPoints: [join(HERE, 'src/index.ts')],
		define: { TEST_ROOT_IS_GENUINE: String(values['test-root-is-genuine']) },
		minify: true,
		write: false
	});
	const bytes = result.outputFiles[0].contents;
	// written beside and renamed, so that half a file is never taken for a whole one
	const target = join(out, 'verifier.js');
	writeFileSync(`${target}.part`, bytes);
	renameSync(`${target}.part`, target);
	copyFileSync(join(HERE, 'verifier.d.ts'), join(out, 'verifier.d.ts'));
	console.log(`${target}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzip`);
}

main().catch((error) => {
	console.error(error instanceof UsageError || !error.errors ? error.message : String(error));
	process.exit(error instanceof UsageError ? 2 : 1);
});
