/** What a request carries, as a Blob: files stay where they are and are not read into memory for it. */

const BOUNDARY_BYTES = 16;

export interface Body {
	content: Blob | null;
	/** Its `Content-Type`, unless the request names one. */
	type: string | null;
}

const boundary = (): string =>
	`----form${Array.from(crypto.getRandomValues(new Uint8Array(BOUNDARY_BYTES)), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;

/** Names and file names as forms write them (HTML, "multipart/form-data encoding algorithm"). */
const quoted = (name: string): string =>
	`"${name.replace(/\n/g, '%0A').replace(/\r/g, '%0D').replace(/"/g, '%22')}"`;

/** A form as `multipart/form-data` (RFC 7578). */
const ofForm = (form: FormData): Body => {
	const line = boundary();
	const parts: BlobPart[] = [];
	for (const [name, value] of form) {
		const head = `--${line}\r\nContent-Disposition: form-data; name=${quoted(name)}`;
		if (typeof value === 'string') parts.push(`${head}\r\n\r\n${value.replace(/\r\n|\r|\n/g, '\r\n')}\r\n`);
		else {
			const type = value.type || 'application/octet-stream';
			parts.push(`${head}; filename=${quoted(value.name)}\r\nContent-Type: ${type}\r\n\r\n`, value, '\r\n');
		}
	}
	parts.push(`--${line}--\r\n`);
	return { content: new Blob(parts), type: `multipart/form-data; boundary=${line}` };
};

/** Whatever `fetch` and XMLHttpRequest take as a body. */
export const bodyOf = async (body: unknown): Promise<Body> => {
	if (body === null || body === undefined) return { content: null, type: null };
	if (body instanceof FormData) return ofForm(body);
	if (body instanceof Blob) return { content: body, type: body.type || null };
	if (body instanceof URLSearchParams)
		return { content: new Blob([body.toString()]), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
	if (body instanceof ReadableStream) return { content: await new Response(body as BodyInit).blob(), type: null };
	if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return { content: new Blob([body as BlobPart]), type: null };
	return { content: new Blob([String(body)]), type: 'text/plain;charset=UTF-8' };
};
