/** The part of DOMPurify that `inert.ts` uses: upstream has no types for it. */
declare module 'dompurify' {
	const purify: { sanitize(html: string, options?: Record<string, unknown>): string };
	export default purify;
}
