/**
 * How dcap-qvl's JavaScript enters: as the module `#dcap`, made of its verifier, its copy of Intel's root and the
 * simulator's root. Its `elliptic` and its ASN.1 parser's
 * entry are replaced (src/verifier/elliptic.ts, src/verifier/asn1-cache.ts). Node's own `crypto` is left out on purpose: with it, dcap-qvl would run other code here than in a
 * browser, and the tests would test something that nobody ships.
 */

import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';

export const HERE = dirname(fileURLToPath(import.meta.url));
const SIMULATOR_ROOT = resolve(HERE, '../simulator/pki/root.der');

/** esbuild plugin. `dcapQvl`: folder of dcap-qvl-js 0.7.0; throws one sentence where something is missing. */
export function dcapPlugin(dcapQvl, simulatorRoot = SIMULATOR_ROOT) {
	const verifier = join(resolve(dcapQvl), 'src/verify.js');
	const intelRoot = join(resolve(dcapQvl), 'src/TrustedRootCA.der');
	for (const file of [verifier, intelRoot, simulatorRoot])
		if (!existsSync(file)) throw new Error(`${file} is missing; --dcap-qvl names the folder of dcap-qvl-js 0.7.0.`);
	const contents = [
		`import verify from ${JSON.stringify(verifier)};`,
		"export { Buffer } from 'buffer';",
		'export const QuoteVerifier = verify.QuoteVerifier;',
		`export { default as intelRoot } from ${JSON.stringify(intelRoot)};`,
		`export { default as simulatorRoot } from ${JSON.stringify(simulatorRoot)};`
	].join('\n');
	return {
		name: 'dcap',
		setup(build) {
			build.onResolve({ filter: /^#dcap$/ }, () => ({ path: 'dcap', namespace: 'dcap' }));
			build.onLoad({ filter: /.*/, namespace: 'dcap' }, () => ({ contents, resolveDir: HERE }));
			build.onResolve({ filter: /^elliptic$/ }, () => ({ path: join(HERE, 'src/verifier/elliptic.ts') }));
			build.onResolve({ filter: /^@peculiar\/asn1-schema$/ }, ({ importer }) =>
				importer.startsWith(resolve(dcapQvl)) ? { path: join(HERE, 'src/verifier/asn1-cache.ts') } : undefined
			);
			build.onResolve({ filter: /^(crypto|node-fetch|vm)$/ }, ({ path }) => ({ path, namespace: 'absent' }));
			build.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {};' }));
		}
	};
}

/** Options of a module that pages load. */
const FOR_BROWSERS = {
	bundle: true,
	format: 'esm',
	platform: 'browser',
	target: 'es2022',
	charset: 'utf8',
	legalComments: 'none'
};

/** Options that the release's bundle and the tests' copy of dcap-qvl share. */
export function commonOptions(dcapQvl, simulatorRoot) {
	return {
		...FOR_BROWSERS,
		loader: { '.der': 'binary' },
		// dcap-qvl lies outside this package; its dependencies are the ones pinned in our lock
		nodePaths: [join(HERE, 'node_modules')],
		absWorkingDir: HERE,
		plugins: [dcapPlugin(dcapQvl, simulatorRoot)],
		logLevel: 'warning'
	};
}

/** The types of everything that the file `source` of src/ exports, as one file that imports nothing. */
async function declarations(source) {
	const bundled = await rollup({
		input: join(HERE, 'src', source),
		plugins: [dts({ tsconfig: join(HERE, 'tsconfig.json') })],
		external: ['#dcap']
	});
	const { output } = await bundled.generate({ format: 'es' });
	return output[0].code;
}

/** Written beside and renamed, so that half a file is never taken for a whole one. */
function place(path, content) {
	writeFileSync(`${path}.part`, content);
	renameSync(`${path}.part`, path);
}

/** qr.js and its types: what draws a QR code, loaded when somebody first looks at one. */
async function drawing(out) {
	const result = await build({
		stdin: { contents: "export { encode } from 'uqr';", resolveDir: HERE },
		bundle: true,
		format: 'esm',
		target: 'es2022',
		legalComments: 'none',
		minify: true,
		write: false
	});
	place(join(out, 'qr.js'), result.outputFiles[0].contents);
	place(
		join(out, 'qr.d.ts'),
		'export declare function encode(text: string, options?: { border?: number }): { size: number; data: boolean[][] };\n'
	);
}

/** channel.js and its types: the encrypted channel, loaded where the evidence binds a key of it. */
async function channel(out) {
	const result = await build({
		entryPoints: [join(HERE, 'src/channel.ts')],
		...FOR_BROWSERS,
		absWorkingDir: HERE,
		minify: true,
		write: false
	});
	place(join(out, 'channel.js'), result.outputFiles[0].contents);
	place(join(out, 'channel.d.ts'), await declarations('channel.ts'));
}

/**
 * Writes verifier.js and its types, verifier.d.ts, into `out`, and answers the bundle's size in bytes.
 * `testRootIsGenuine` makes the simulator's root count as Intel's; a release never has it.
 */
export async function bundle({ dcapQvl, out, simulatorRoot, testRootIsGenuine = false }) {
	const result = await build({
		...commonOptions(dcapQvl, simulatorRoot),
		entryPoints: [join(HERE, 'src/verifier.ts')],
		define: { TEST_ROOT_IS_GENUINE: String(testRootIsGenuine) },
		minify: true,
		write: false
	});
	const bytes = result.outputFiles[0].contents;
	mkdirSync(out, { recursive: true });
	const target = join(out, 'verifier.js');
	place(target, bytes);
	place(join(out, 'verifier.d.ts'), await declarations('verifier.ts'));
	await drawing(out);
	await channel(out);
	return { target, size: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}
