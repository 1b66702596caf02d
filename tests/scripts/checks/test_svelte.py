"""What of svelte-check's answer is ours; the check itself runs within a build, by `make lint`."""

from __future__ import annotations

import pytest

from scripts.checks import svelte
from scripts.errors import CommandError

ANSWER = """\
If bundling, conditions should include development or production.
1795633056377 START "/tmp/x"
1795633056377 ERROR "src/lib/components/tee/Details.svelte" 22:66 "Element implicitly has an 'any' type"
1795633056377 WARNING "src/lib/tee/page.ts" 1:1 "odd"
1795633056377 ERROR "src/hooks.client.ts" 1:1 "odd"
1795633056377 ERROR "src/lib/apis/index.ts" 9:9 "upstream's own"
1795633056377 COMPLETED 394 FILES 4 ERRORS 0 WARNINGS 4 FILES_WITH_PROBLEMS
"""


def test_our_files_count_and_upstreams_do_not() -> None:
    found = svelte.findings(ANSWER)
    assert [line.split('"')[1] for line in found] == [
        "src/lib/components/tee/Details.svelte",
        "src/lib/tee/page.ts",
        "src/hooks.client.ts",
    ]


def test_a_check_that_did_not_end_says_nothing_good() -> None:
    with pytest.raises(CommandError, match="did not end: .*no memory"):
        svelte.findings("1 START no memory")
