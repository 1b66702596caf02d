/** Lines of the event log as a reader sees them: all of each, whatever it holds. */

import { expect, test } from 'vitest';
import { linesOf, readEvent } from '../../src/client/events.js';

test.each([
	['INIT sha384/00', 'INIT', [['', 'sha384/00']]],
	['INIT', 'INIT', [['', '']]],
	['open-webui-tdx model {"name":"llama3:8b","size":3}', 'model', [['name', 'llama3:8b'], ['size', '3']]],
	[
		'open-webui-tdx site {"egress":["a:443"],"admin_access":false,"x":null,"y":{"z":"1 2"}}',
		'site',
		[['egress', '["a:443"]'], ['admin_access', 'false'], ['x', 'null'], ['y', '{"z":"1 2"}']]
	],
	['open-webui-tdx settings {"BANNER":"two  words"}', 'settings', [['BANNER', 'two  words']]],
	['open-webui-tdx model {"name":', 'model', [['', '{"name":']]],
	['elsewhere model [1,2]', 'model', [['', '[1,2]']]],
	['elsewhere model "a b"', 'model', [['', '"a b"']]],
	['elsewhere model null', 'model', [['', 'null']]],
	['elsewhere model', 'model', [['', '']]],
	['word', 'word', [['', '']]]
])('%s', (line, name, members) => {
	expect(readEvent(line)).toEqual({ name, members });
});

test('the last line break ends a line and begins none', () => {
	expect(linesOf('')).toEqual([]);
	expect(linesOf('INIT sha384/00\na b c\n')).toEqual(['INIT sha384/00', 'a b c']);
	expect(linesOf('INIT sha384/00\na b c')).toEqual(['INIT sha384/00', 'a b c']);
});
