/**
 * The release's file in Chromium, as a module worker: on a secure page, and on plain http, where there is no WebCrypto.
 * The page sends its results back to the server of this test, so that no browser driver is needed.
 */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../src/verifier.js';
import { goodBundle, NOW, readCase, REFERENCES, resolve } from './helpers.js';
import { CACHE } from './paths.js';

interface Answer {
	subtle: boolean;
	results: [simulated: Report, verified: Report, service: Report];
	nonce: string;
	elapsed: number[];
}

function findChromium(): string | null {
	for (const name of [process.env['CHROMIUM'], 'chromium', 'chromium-browser', 'google-chrome']) {
		try {
			if (name) return execFileSync('which', [name], { encoding: 'utf8' }).trim();
		} catch {
			// the next name
		}
	}
	return null;
}

const PAGE = `<!doctype html><script type="module">
const start = (file) => {
	const worker = new Worker(new URL(file, location), { type: 'module' });
	const waiting = new Map();
	worker.onmessage = ({ data }) => waiting.get(data.id)(data);
	let last = 0;
	return (method, ...params) => new Promise((resolve, reject) => {
		const id = ++last;
		waiting.set(id, (data) => ('error' in data ? reject(new Error(data.error)) : resolve(data.result)));
		worker.onerror = (event) => reject(new Error(event.message));
		worker.postMessage({ id, method, params });
	});
};
try {
	const inputs = await (await fetch('/inputs.json')).json();
	const release = start('/release/verifier.js');
	const testRoot = start('/test-root/verifier.js');
	const results = [], elapsed = [];
	for (const [index, input] of inputs.entries()) {
		const started = performance.now();
		results.push(await (index === 0 ? release : testRoot)('verify', input));
		elapsed.push(performance.now() - started);
	}
	const nonce = await release('newNonce');
	await fetch('/answer', { method: 'POST', body: JSON.stringify({ subtle: Boolean(crypto.subtle), results, nonce, elapsed }) });
} catch (error) {
	await fetch('/answer', { method: 'POST', body: JSON.stringify({ error: String(error) }) });
}
</script>`;

const service = readCase('service-alibaba');
const chosen = (resolve(service.options!['services']) as { service: string; url: string; keys: object }[])[0]!;
const INPUTS = [
	{ bundle: goodBundle(), references: REFERENCES, now: NOW },
	{ bundle: goodBundle(), references: REFERENCES, now: NOW },
	{
		bundle: resolve(service.bundle),
		references: REFERENCES,
		now: NOW,
		service: { kind: chosen.service, url: chosen.url, jwks: chosen.keys }
	}
];
const chromium = findChromium();
const profile = mkdtempSync(join(tmpdir(), 'web-verifier-chromium-'));
let server: Server;
let answered: (answer: Answer & { error?: string }) => void;
let browser: ChildProcess | null = null;

beforeAll(() => {
	server = createServer((request, response) => {
		const send = (type: string, body: string | Buffer) => response.setHeader('Content-Type', type).end(body);
		if (request.url === '/') return send('text/html', PAGE);
		if (request.url === '/inputs.json') return send('application/json', JSON.stringify(INPUTS));
		if (/^\/(release|test-root)\/verifier\.js$/.test(request.url!))
			return send('text/javascript', readFileSync(join(CACHE, request.url!)));
		if (request.url !== '/answer') return response.writeHead(404).end();
		let body = '';
		request
			.on('data', (part) => (body += String(part)))
			.on('end', () => {
				response.end();
				answered(JSON.parse(body) as Answer);
			});
	});
	return new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});

afterAll(() => {
	kill();
	server.close();
	rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
});

/** End Chromium and the processes that it started: alone, they would go on writing into the profile for a while. */
function kill(): void {
	if (!browser?.pid || browser.exitCode !== null || browser.signalCode !== null) return;
	process.kill(-browser.pid, 'SIGKILL');
}

/** Open the page at `host`, and wait for what it sends back. */
async function visit(host: string): Promise<Answer> {
	const { port } = server.address() as AddressInfo;
	const answer = new Promise<Answer & { error?: string }>((resolveAnswer) => (answered = resolveAnswer));
	browser = spawn(
		chromium!,
		[
			'--headless',
			'--no-sandbox',
			'--disable-gpu',
			'--no-first-run',
			'--disable-background-networking',
			'--disable-component-update',
			'--disable-sync',
			`--user-data-dir=${profile}`,
			'--host-resolver-rules=MAP chat.example 127.0.0.1',
			`http://${host}:${port}/`
		],
		{ stdio: 'ignore', detached: true } // a process group of its own
	);
	const result = await answer;
	const ended = new Promise((done) => browser!.once('exit', done));
	kill();
	await ended;
	if (result.error) throw new Error(result.error);
	return result;
}

const statusOf = (report: Report, id: string) => report.checks.find((check) => check.id === id)!.status;

describe.skipIf(chromium === null)('in Chromium', () => {
	test('a secure page: every check, the service token included', async () => {
		const { subtle, results, nonce, elapsed } = await visit('localhost');
		expect(subtle).toBe(true);
		expect(results.map(({ overall }) => overall)).toEqual(['simulated', 'verified', 'verified']);
		expect(statusOf(results[2], 'service.token')).toBe('pass');
		expect(nonce).toMatch(/^[\w-]{43}$/);
		console.info(
			`verify in Chromium, milliseconds (first in each worker: 1 and 2): ${elapsed.map(Math.round).join(', ')}`
		);
	});

	test('plain http: the same without WebCrypto, but for the token, which is not believed', async () => {
		const { subtle, results, nonce } = await visit('chat.example');
		expect(subtle).toBe(false);
		expect(results.map(({ overall }) => overall)).toEqual(['simulated', 'verified', 'not-acceptable']);
		expect(statusOf(results[2], 'service.token')).toBe('fail');
		expect(nonce).toMatch(/^[\w-]{43}$/);
	});
});
