import type { BuildOptions } from 'esbuild';

export const HERE: string;
export function commonOptions(dcapQvl: string, simulatorRoot?: string): BuildOptions;
export interface BundleInput {
	dcapQvl: string;
	out: string;
	simulatorRoot?: string;
	testRootIsGenuine?: boolean;
}
export function bundle(input: BundleInput): Promise<{ target: string; size: number; gzip: number }>;
