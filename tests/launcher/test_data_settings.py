"""Settings of the data's encryption: which go together, and what they measure."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from quote_verifier.eventlog import _event as logged
from quote_verifier.kept_data import check_data
from quote_verifier.verdict import Check

from launcher import run
from launcher.datadir import DataDir
from launcher.errors import SettingError
from launcher.plan import effective, processes, settings
from launcher.plan.data_settings import _KEEPERS
from launcher.plan.events import site_event
from launcher.plan.launch import Launch
from tests.vectors.ground import event, launch

TRUSTEE = {
    "DATA_KEY": "trustee",
    "DATA_OWNER": "Gb8jfLJNrVqR8EB3SRo-aKaBXv2NjGL40zHzUQ3ZpqM",
    "DATA_TRUSTEE_URL": "https://kbs.example/",
    "DATA_TRUSTEE_RESOURCE": "default/open-webui/data-key",
}
OWNER = "Gb8jfLJNrVqR8EB3SRo-aKaBXv2NjGL40zHzUQ3ZpqM"


def test_the_owner_is_measured() -> None:
    chosen = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": OWNER})
    assert site_event(chosen, [], False, "closed").content["data_owner"] == OWNER
    assert "data_owner" not in site_event(settings.load({}), [], False, "closed").content


def test_where_a_trustee_is_asked_is_measured_and_handed_to_door_and_attester() -> None:
    chosen = settings.load(TRUSTEE)
    asked = "https://kbs.example/kbs/v0/resource/default/open-webui/data-key"
    content = site_event(chosen, [], False, "closed").content
    assert (content["data_owner"], content["data_trustee"]) == (OWNER, asked)
    unlocked = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": OWNER})
    assert "data_trustee" not in site_event(unlocked, [], False, "closed").content
    for which, expected in ((chosen, True), (unlocked, False)):
        launch = Launch(Path("/r"), which, DataDir(Path("/d"), "boot", True), "tdx", {}, "python3", 1, Path("/s"))
        config = json.loads(next(each for each in processes.door(launch, {}, None).command if each.startswith("{")))
        place = {"url": "https://kbs.example", "resource": "default/open-webui/data-key"}
        assert config.get("trustee") == (place if expected else None)
        assert config["data"] == {"state": "encrypted", "owner": OWNER}
        assert ("--key-broker" in processes.attester(launch, "", 0).command) is expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({name: value for name, value in TRUSTEE.items() if name != "DATA_OWNER"}, "DATA_KEY=trustee needs DATA_OWNER"),
        (TRUSTEE | {"DATA_TRUSTEE_URL": ""}, "DATA_KEY=trustee needs DATA_TRUSTEE_URL"),
        (TRUSTEE | {"DATA_TRUSTEE_RESOURCE": ""}, "DATA_KEY=trustee needs DATA_TRUSTEE_RESOURCE"),
        (TRUSTEE | {"DATA_TRUSTEE_RESOURCE": "kbs:///default/a/b"}, "is no resource of a Trustee"),
        (TRUSTEE | {"DATA_TRUSTEE_RESOURCE": "default/../b"}, "is no resource of a Trustee"),
        (TRUSTEE | {"DATA_TRUSTEE_URL": "ftp://kbs.example"}, "is not an http or https URL"),
        (TRUSTEE | {"DATA_KEY": "unlock"}, "DATA_TRUSTEE_URL is set, but DATA_KEY is unlock"),
        ({"DATA_TRUSTEE_CA_FILE": "/ca.pem"}, "DATA_TRUSTEE_CA_FILE is set, but DATA_KEY is none"),
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


@pytest.mark.parametrize(
    ("kind", "key", "said"), [("tdx", "none", True), ("tdx", "unlock", False), ("tdx-simulated", "none", False)]
)
def test_plain_data_is_said_on_real_hardware(kind: str, key: str, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(run, "notice", heard.append)
    monkeypatch.setattr(run, "tdx", SimpleNamespace(choose=lambda *_: kind, look=lambda _: None))
    owned = {"DATA_KEY": key, "DATA_OWNER": OWNER} if key != "none" else {}
    assert run._kind(settings.load(owned), Path("/nonexistent"), {}) == kind
    assert said == any("DATA_KEY=none: what this service keeps lies in plain text" in each for each in heard)


@pytest.mark.parametrize(
    ("kind", "encrypted", "said", "dumps"),
    [("tdx", True, ["Swap."], False), ("tdx-simulated", True, [], False), ("tdx", False, [], True)],
)
def test_what_could_spill_is_looked_for_where_data_is_encrypted(
    kind: str, encrypted: bool, said: list[str], dumps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    limited: list[bool] = []
    monkeypatch.setattr(run, "notice", heard.append)
    monkeypatch.setattr(
        run, "spills", SimpleNamespace(no_dumps=lambda: limited.append(True), found=lambda fenced: ["Swap."])
    )
    started = SimpleNamespace(data=SimpleNamespace(encrypted=encrypted), kind=kind)
    run._keep_to_memory(started, fenced=True)  # type: ignore[arg-type]
    assert heard == said and bool(limited) != dumps
