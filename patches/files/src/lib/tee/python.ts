/**
 * A model's Python in the browser, without the page's origin: no cookies, no token, and no way to anywhere. An address that it
 * asks for may carry words, so the page asks in its place: for Pyodide's files by their names, each once.
 */

import workerAddress from '$lib/workers/pyodide.worker?worker&url';

type Answer = { data: Record<string, unknown> };

const FOLDER = '/pyodide/';
const LOCK = 'pyodide-lock.json';
const ENGINE = 'pyodide.asm.js';
const OTHERS = ['pyodide.asm.wasm', 'python_stdlib.zip', LOCK];

const loaded = new Map<string, Promise<Blob>>();

const load = (path: string): Promise<Blob> => {
	const file =
		loaded.get(path) ??
		fetch(path).then((answer) => {
			if (!answer.ok) throw new Error(`${path}: status ${answer.status}`);
			return answer.blob();
		});
	loaded.set(path, file);
	return file;
};

/** The names of all that Pyodide may ask for: its own files, and the packages that its list has. */
const names = async (): Promise<Set<string>> => {
	const lock = JSON.parse(await (await load(FOLDER + LOCK)).text()) as { packages: Record<string, { file_name: string }> };
	return new Set([...OTHERS, ...Object.values(lock.packages).map(({ file_name }) => file_name)]);
};

/** The file at an address that Python asks for; null for any other than Pyodide's. */
const fileAt = async (address: unknown): Promise<Blob | null> => {
	const folder = location.origin + FOLDER;
	const name = String(address).startsWith(folder) ? String(address).slice(folder.length) : '';
	return (await names()).has(name) ? load(FOLDER + name) : null;
};

/** Takes the place of upstream's Worker: the worker lives in a hidden, sandboxed frame, whose policy is the server's. */
export class SandboxedPython {
	onmessage: ((event: Answer) => void) | null = null;
	onerror: ((event: Answer) => void) | null = null;
	private readonly frame = document.createElement('iframe');
	private readonly channel = new MessageChannel();
	private readonly files = new MessageChannel();

	constructor() {
		this.channel.port1.onmessage = ({ data }) => {
			if (data.kind === 'error') this.onerror?.({ data });
			else this.onmessage?.({ data: data.message });
		};
		this.files.port1.onmessage = async ({ data: { id, address } }) =>
			this.files.port1.postMessage({ id, file: await fileAt(address).catch(() => null) });
		this.frame.setAttribute('sandbox', 'allow-scripts');
		this.frame.hidden = true;
		this.frame.src = '/tee/python.html';
		this.frame.addEventListener('load', () => void this.start(), { once: true });
		document.body.append(this.frame);
	}

	private async start(): Promise<void> {
		const paths = [FOLDER + ENGINE, new URL(workerAddress, location.href).pathname];
		try {
			const scripts = await Promise.all(paths.map(load));
			this.frame.contentWindow?.postMessage({ scripts }, '*', [this.channel.port2, this.files.port2]);
		} catch (error) {
			this.onerror?.({ data: { message: String(error) } });
		}
	}

	postMessage(message: Record<string, unknown>): void {
		this.channel.port1.postMessage({ ...message, pyodideBase: location.origin });
	}

	terminate(): void {
		this.channel.port1.close();
		this.files.port1.close();
		this.frame.remove();
	}
}
