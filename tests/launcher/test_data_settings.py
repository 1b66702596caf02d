"""Settings of the data's encryption: which go together, and what they measure."""

from __future__ import annotations

import pytest
from quote_verifier.eventlog import _event as logged
from quote_verifier.kept_data import check_data
from quote_verifier.verdict import Check

from launcher.errors import SettingError
from launcher.plan import effective, settings
from launcher.plan.data_settings import _KEEPERS
from launcher.plan.events import site_event
from tests.vectors.ground import event, launch

OWNER = "Gb8jfLJNrVqR8EB3SRo-aKaBXv2NjGL40zHzUQ3ZpqM"


def test_the_owner_is_measured() -> None:
    chosen = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": OWNER})
    assert site_event(chosen, [], False, "closed").content["data_owner"] == OWNER
    assert "data_owner" not in site_event(settings.load({}), [], False, "closed").content


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"DATA_KEY": "unlock"}, "DATA_KEY=unlock needs DATA_OWNER"),
        ({"DATA_OWNER": OWNER}, "DATA_OWNER is set, but DATA_KEY is none"),
        ({"DATA_KEY": "other"}, "DATA_KEY=other is not known"),
        ({"DATA_KEY": "unlock", "DATA_OWNER": OWNER[:-1]}, "is no public key of an owner"),
        ({"DATA_KEY": "unlock", "DATA_OWNER": OWNER + "="}, "is no public key of an owner"),
        ({"DATA_KEY": "unlock", "DATA_OWNER": OWNER[:-1] + "N"}, "is no public key of an owner"),
        (
            {"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "DATABASE_URL": "postgresql://u:p@localhost/x"},
            "DATABASE_URL keeps what people write outside of the encrypted folder",
        ),
        (
            {"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "DATABASE_URL": "sqlite:////var/tmp/webui.db"},
            "DATABASE_URL keeps what people write outside of the encrypted folder",
        ),
        (
            {"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "VECTOR_DB": "elasticsearch"},
            "VECTOR_DB=elasticsearch keeps what people write in a program of this machine",
        ),
        (
            {"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "VECTOR_DB": "opensearch", "OPENSEARCH_URI": "https://[::1]:9"},
            "OPENSEARCH_URI keeps what people write outside of the encrypted folder",
        ),
        (
            {"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "ELASTICSEARCH_CLOUD_ID": "x:eA=="},
            "ELASTICSEARCH_CLOUD_ID keeps what people write at an address that no launch can name",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        settings.load(given)


@pytest.mark.attack
@pytest.mark.parametrize("name", sorted(_KEEPERS))
def test_whatever_keeps_words_elsewhere_is_told_to_verifiers(name: str) -> None:
    """All the way: the setting, the `site` event of that launch, and what a verifier says of encrypted data then."""
    address = (
        "postgresql://u:p@db.example/x" if name.endswith("DB_URL") or name == "DATABASE_URL" else "https://db.example"
    )
    theirs = {name: address}
    chosen = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": OWNER, **theirs})
    leading = [*effective.endpoints(effective.pin(theirs)), *effective.other_urls(theirs, "http://127.0.0.1:1")]
    site = site_event(chosen, leading, False, "closed").content
    assert [each["setting"] for each in site["endpoints"]] == [name]
    plan = [event("gocryptfs", {"sha384": "", "version": ""}), event("site", site)]
    log = tuple(logged(line, number) for number, line in enumerate([*plan, launch(["INIT", *plan], plan)], 2))
    bound = {"data": {"state": "encrypted", "owner": OWNER}}
    judged = check_data(log, bound, Check("platform.match", "pass", ""))
    assert (judged.status, name in judged.detail) == ("warn", True)
