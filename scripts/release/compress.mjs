// node compress.mjs FFLATE FROM TO: write TO/x.gz for each FROM/x that a browser gains from having compressed.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , fflate, from, to] = process.argv;
const { gzipSync } = await import(pathToFileURL(fflate));
const KINDS = /\.(css|html|js|json|mjs|svg|ts|txt|wasm|xml|webmanifest)$/;
const LEAST_BYTES = 1024;
const SAVES = 0.9;
// Thousands of small pictures, of which a page loads one now and then.
const LEFT_OUT = 'assets/emojis/';

for (const name of readdirSync(from, { recursive: true }).sort()) {
	if (!KINDS.test(name) || name.startsWith(LEFT_OUT)) continue;
	const content = readFileSync(join(from, name));
	if (content.length < LEAST_BYTES) continue;
	const small = gzipSync(content, { level: 9, mtime: 0 });
	if (small.length > content.length * SAVES) continue;
	mkdirSync(dirname(join(to, name)), { recursive: true });
	writeFileSync(join(to, `${name}.gz`), small);
}
