/** A model's Python in the browser, without the page's origin: no cookies, no token, no way to anywhere but Pyodide's own files. */

import workerAddress from '$lib/workers/pyodide.worker?worker&url';

type Answer = { data: Record<string, unknown> };

/** Takes the place of upstream's Worker: the worker lives in a hidden, sandboxed frame, whose policy is the server's. */
export class SandboxedPython {
	onmessage: ((event: Answer) => void) | null = null;
	onerror: ((event: Answer) => void) | null = null;
	private readonly frame = document.createElement('iframe');
	private readonly channel = new MessageChannel();

	constructor() {
		this.channel.port1.onmessage = ({ data }) => {
			if (data.kind === 'error') this.onerror?.({ data });
			else this.onmessage?.({ data: data.message });
		};
		this.frame.setAttribute('sandbox', 'allow-scripts');
		this.frame.hidden = true;
		this.frame.src = '/tee/python.html';
		this.frame.onload = () => {
			const worker = new URL(workerAddress, location.href).href;
			this.frame.contentWindow?.postMessage({ worker }, '*', [this.channel.port2]);
		};
		document.body.append(this.frame);
	}

	postMessage(message: Record<string, unknown>): void {
		this.channel.port1.postMessage({ ...message, pyodideBase: location.origin });
	}

	terminate(): void {
		this.channel.port1.close();
		this.frame.remove();
	}
}
