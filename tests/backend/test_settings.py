import pytest
from attestation.settings import ALIBABA_SERVICE_URL, SettingsError, load


def test_defaults_need_no_third_party() -> None:
    settings = load({})
    assert (settings.service, settings.service_url, settings.gate, settings.kind) == ("none", None, "warn", "none")
    assert settings.attester_socket is None


def test_documented_service_has_its_address() -> None:
    assert load({"TEE_SERVICE": "alibaba"}).service_url == ALIBABA_SERVICE_URL
    assert load({"TEE_SERVICE": "alibaba", "TEE_SERVICE_URL": "https://a.example"}).service_url == "https://a.example"


def test_no_service_shows_no_address_or_key() -> None:
    settings = load({"TEE_SERVICE_URL": "https://a.example", "TEE_SERVICE_KEY": "k"})
    assert (settings.service_url, settings.service_key) == (None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEE_SERVICE", "azure"),
        ("TEE_SERVICE", "trustee"),  # without TEE_SERVICE_URL
        ("TEE_GATE", "Block"),
        ("TEE_CHANNEL", "Require"),
        ("TEE_RATE_LIMIT", "60"),
        ("TEE_MAX_AGE_S", "9"),
        ("TEE_LAUNCH", "ok"),
        ("TEE_KIND", "sev"),
    ],
)
def test_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as error:
        load({name: value})
    assert name in str(error.value)
    assert value in str(error.value)
