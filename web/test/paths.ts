import { join } from 'node:path';
import { HERE } from '../bundling.mjs';

/** Where `setup.ts` puts what it bundles. */
export const CACHE = join(HERE, 'node_modules/.cache/tests');
