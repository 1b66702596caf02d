/** What HTML has a browser ask for besides `src`: none of it is left, and what it shows without asking stays. */

import { expect, test } from 'vitest';

import { asks, mayAsk, silence } from '../../src/client/asking.js';

const left = (html: string): string => {
	const place = document.implementation.createHTMLDocument('').createElement('div');
	place.innerHTML = html;
	if (mayAsk(html)) silence(place, new Map([['IMG', 'src']]));
	return place.innerHTML;
};

test.each([
	['<img srcset="/w 1x">', '<img>'],
	['<video poster="/w"></video>', '<video></video>'],
	['<table background="/w"></table>', '<table></table>'],
	['<video><track src="/w" default=""></video>', '<video><track default=""></video>'],
	['<input type="image" src="/w">', '<input type="image">'],
	['<p style="background: url(/w)">a</p>', '<p>a</p>'],
	['<p style="background: u&#114;l(/w)">a</p>', '<p>a</p>'],
	['<svg><image href="/w"></image></svg>', '<svg><image></image></svg>'],
	['<svg><image xlink:href="/w"></image></svg>', '<svg><image></image></svg>'],
	['<svg><use href="/w#a"></use></svg>', '<svg><use></use></svg>'],
	['<svg><path fill="url(/w#a)"></path></svg>', '<svg><path></path></svg>'],
	['<link rel="stylesheet" href="/w">', '<link rel="stylesheet">'],
	['<style>p { background: url(/w) }</style>', '<style></style>'],
	['<svg><style>@import "/w"</style></svg>', '<svg><style></style></svg>'],
	['<svg><image><set attributeName="href" to="/w"/></image></svg>', '<svg><image></image></svg>'],
	['<svg><use><animate attributeName="&#104;ref" values="/w"></animate></use></svg>', '<svg><use></use></svg>'],
	['<meta http-equiv="refresh" content="0; url=/w">', ''],
	['<iframe srcdoc="a"></iframe>', '<iframe></iframe>'],
	['<img attributionsrc="/w">', '<img>'],
	['<a href="/c/1" ping="/w">a</a>', '<a href="/c/1">a</a>'],
	['<form action="/w"><button formaction="/w">a</button></form>', '<form><button>a</button></form>'],
	['<p style="background: url(/assets/images/adam.jpg?w)">a</p>', '<p>a</p>'],
	['<p style="background: url(/assets/images/w.jpg)">a</p>', '<p>a</p>']
])('%s', (html, expected) => {
	expect(left(html)).toBe(expected);
});

test.each([
	'<a href="/c/1">a link</a>',
	'<img src="/api/v1/files/1/content">',
	'<p style="color: red">a</p>',
	'<svg><use href="#a"></use><path fill="url(#a)" marker-end="url(\'#b\')"></path></svg>',
	'<svg><image href="data:image/png;base64,AA"></image></svg>',
	'<p style="background-image: url(\'/assets/images/adam.jpg\')">a</p>',
	'<style>p { background: url("data:image/png;base64,AA"); content: "\\201C" }</style>'
])('%s stays', (html) => {
	const place = document.createElement('div');
	place.innerHTML = html;
	expect(left(html)).toBe(place.innerHTML);
});

test.each(['url(/w)', 'URL( "/w" )', 'u\\72l(/w)', '\\000075 rl(/w)', 'u\\rl(/w)', "image-set('/w' 1x)", '@im\\70ort "/w"', 'url(#a) url(/w)'])(
	'%s asks',
	(css) => {
		expect(asks(css)).toBe(true);
	}
);
