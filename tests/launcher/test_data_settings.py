"""Settings of the data's encryption: which go together, and what they measure."""

from __future__ import annotations

import pytest

from launcher.errors import SettingError
from launcher.plan import settings
from launcher.plan.events import site_event

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
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        settings.load(given)


def test_a_database_elsewhere_is_the_sites_choice_which_verifiers_warn_of() -> None:
    elsewhere = {"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "DATABASE_URL": "postgresql://u:p@db.example/x"}
    assert settings.load(elsewhere).data_key == "unlock"
