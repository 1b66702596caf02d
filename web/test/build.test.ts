/** What leaves this folder: the same bytes anywhere, Intel's root and no other, and no test build by accident. */

import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { bundle, HERE } from '../bundling.mjs';
import { CACHE } from './paths.js';
import { findDcapQvl } from './setup.js';

const MARKER = 'OPEN-WEBUI-TDX TEST BUILD';
const scratch = mkdtempSync(join(tmpdir(), 'web-verifier-'));
const dcapQvl = findDcapQvl();
const read = (folder: string) => readFileSync(join(folder, 'verifier.js'), 'utf8');

afterAll(() => rmSync(scratch, { recursive: true }));

test('a release carries no trace of the test build, and the test build says what it is', () => {
	expect(read(join(CACHE, 'release'))).not.toContain(MARKER);
	expect(read(join(CACHE, 'test-root'))).toContain(MARKER);
});

test('other folders give the same bytes', () => {
	const copy = join(scratch, 'elsewhere', 'web');
	cpSync(HERE, copy, { recursive: true, dereference: true, filter: (path) => !path.startsWith(join(HERE, 'node_modules')) });
	symlinkSync(join(HERE, 'node_modules'), join(copy, 'node_modules'));
	cpSync(dcapQvl, join(scratch, 'qvl'), { recursive: true });
	const root = join(HERE, '../simulator/pki/root.der');
	const command = [
		'build.mjs',
		'--dcap-qvl',
		join(scratch, 'qvl'),
		'--out',
		join(scratch, 'out'),
		'--simulator-root',
		root
	];
	execFileSync(process.execPath, command, { cwd: copy });
	expect(read(join(scratch, 'out'))).toBe(read(join(CACHE, 'release')));
	const types = (folder: string) => readFileSync(join(folder, 'verifier.d.ts'), 'utf8');
	expect(types(join(scratch, 'out'))).toBe(types(join(CACHE, 'release')));
});

test("another root in the place of Intel's is refused by the bundle itself", async () => {
	const forged = join(scratch, 'forged');
	cpSync(dcapQvl, forged, { recursive: true });
	cpSync(join(HERE, '../simulator/pki/root.der'), join(forged, 'src/TrustedRootCA.der'));
	await bundle({ dcapQvl: forged, out: join(scratch, 'forged-out') });
	await expect(import(join(scratch, 'forged-out/verifier.js'))).rejects.toThrow("The bundled root is not Intel's");
});

test('the types name every function of the file, and lean on nothing else', async () => {
	const types = readFileSync(join(CACHE, 'release/verifier.d.ts'), 'utf8');
	const named = /^export \{ (.*) \};$/m.exec(types)?.[1]?.split(', ');
	expect(named).toEqual(Object.keys((await import(join(CACHE, 'release/verifier.js'))) as object).sort());
	expect(types).not.toMatch(/\bfrom ['"]|\bimport\(/);
	expect(types).toMatch(/^declare function verify\(input: VerifyInput\): Promise<Report>;$/m);
});

test('nothing of Node is needed, nor elliptic', () => {
	const text = read(join(CACHE, 'release'));
	expect(text).not.toMatch(/require\(["'](node:)?(crypto|fs|http|https|vm)["']\)/);
	expect(text).not.toMatch(/(from|import)\s*["']/);
	expect(text).not.toContain('hmac-drbg');
});

test('the file stays small enough to load when it is first asked for', () => {
	expect(gzipSync(read(join(CACHE, 'release'))).length).toBeLessThan(160_000);
});

test.each([
	['no arguments', [], 'Usage: node build.mjs'],
	['an unknown option', ['--bogus'], 'Usage: node build.mjs'],
	[
		'a folder without dcap-qvl',
		['--dcap-qvl', scratch, '--out', scratch],
		'package.json is missing; --dcap-qvl names the folder'
	]
])('%s: one sentence, exit code 2', (_, options, sentence) => {
	const done = spawnSync(process.execPath, ['build.mjs', ...options], { cwd: HERE, encoding: 'utf8' });
	expect([done.status, done.stderr]).toEqual([2, expect.stringContaining(sentence)]);
	expect(done.stderr).not.toContain('    at ');
});

test('another version of dcap-qvl is refused', () => {
	writeFileSync(join(scratch, 'package.json'), '{"version": "0.3.9"}');
	const done = spawnSync(process.execPath, ['build.mjs', '--dcap-qvl', scratch, '--out', scratch], {
		cwd: HERE,
		encoding: 'utf8'
	});
	expect([done.status, done.stderr]).toEqual([2, expect.stringContaining('is version 0.3.9, not 0.7.0')]);
});

test('no registry is named in the lock', () => {
	const lock = JSON.parse(readFileSync(join(HERE, 'package-lock.json'), 'utf8')) as {
		packages: Record<string, object>;
	};
	const entries = Object.entries(lock.packages).filter(([name]) => name !== '');
	expect(entries.filter(([, entry]) => 'resolved' in entry)).toEqual([]);
	expect(entries.filter(([, entry]) => !('integrity' in entry))).toEqual([]);
});

test('the lock names every package that any other may want, else npm 11 refuses it', () => {
	const { packages } = JSON.parse(readFileSync(join(HERE, 'package-lock.json'), 'utf8')) as {
		packages: Record<string, { dependencies?: object; optionalDependencies?: object }>;
	};
	for (const [place, { dependencies, optionalDependencies }] of Object.entries(packages))
		for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
			expect(Object.keys(packages).some((known) => known.endsWith(`node_modules/${name}`)), `${place}: ${name}`).toBe(true);
});
