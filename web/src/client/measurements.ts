/** What the panel shows of a quote. */

import { td_10, td_15, tooltip } from '../data/td_report.json';
import type { ParsedQuote } from '../verifier.js';
import { measured, type Measurement } from './wording.js';

const FIELDS = Object.keys({ ...td_10, ...td_15 });

/** All fields of the TD report: the tooltip's first. */
export const allMeasurements = (quote: ParsedQuote | undefined): Measurement[] =>
	measured(quote, [...tooltip, ...FIELDS.filter((name) => !tooltip.includes(name))]);
