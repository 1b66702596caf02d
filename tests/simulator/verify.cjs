// Judges one quote a line with dcap-qvl's JavaScript; started by conftest.py with the module's folder.
const readline = require('node:readline');
const { QuoteVerifier } = require(process.argv[2]);

const reason = (error) => (error ? `${error.message} ${reason(error.cause)}`.trim() : '');

readline.createInterface({ input: process.stdin }).on('line', (line) => {
	const { quote, collateral, root, now } = JSON.parse(line);
	let answer;
	try {
		const verifier = root ? QuoteVerifier.newWithRootCa(Buffer.from(root, 'hex')) : QuoteVerifier.newProd();
		const report = verifier.verify(Buffer.from(quote, 'hex'), collateral, now);
		answer = { status: report.status };
	} catch (error) {
		answer = { error: reason(error) || 'refused without a reason' };
	}
	process.stdout.write(JSON.stringify(answer) + '\n');
});
