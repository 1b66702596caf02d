/**
 * Before all tests: finds dcap-qvl's JavaScript and bundles three things with the release's own options: `#dcap` alone
 * for the unit tests, the release's verifier.js, and the test build that counts the simulator as real.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundle, commonOptions, HERE } from '../bundling.mjs';
import { CACHE } from './paths.js';

const ROOT = join(HERE, '..');

function pinnedArchive(): string {
	const pin = /\[files\.dcap_qvl\][^[]*/.exec(readFileSync(join(ROOT, 'upstream.toml'), 'utf8'))![0];
	const [, filename] = /filename = "(.+)"/.exec(pin)!;
	const [, sha256] = /sha256 = "(.+)"/.exec(pin)!;
	const cache =
		process.env['CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'open-webui-tdx');
	const path = join(cache, 'files', filename!);
	if (!existsSync(path))
		throw new Error(
			`${path} is missing: run "make fetch" first, or set DCAP_QVL_JS to the folder of dcap-qvl-js 0.7.0.`
		);
	const actual = createHash('sha256').update(readFileSync(path)).digest('hex');
	if (actual !== sha256) throw new Error(`${path} has SHA-256 ${actual}, not the pinned ${sha256}.`);
	return path;
}

/** Folder of dcap-qvl-js 0.7.0: DCAP_QVL_JS, else unpacked from the build tool's verified download. */
export function findDcapQvl(): string {
	const named = process.env['DCAP_QVL_JS'];
	if (named) return named;
	const archive = pinnedArchive();
	const folder = join(CACHE, 'dcap-qvl');
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	execFileSync('tar', ['-xzf', archive, '-C', folder, '--strip-components=1']);
	return join(folder, 'dcap-qvl-js');
}

export default async function setup(): Promise<void> {
	const dcapQvl = findDcapQvl();
	await build({
		...commonOptions(dcapQvl),
		entryPoints: ['#dcap'],
		outfile: join(CACHE, 'dcap.mjs'),
		allowOverwrite: true
	});
	await bundle({ dcapQvl, out: join(CACHE, 'release') });
	await bundle({ dcapQvl, out: join(CACHE, 'test-root'), testRootIsGenuine: true });
}
