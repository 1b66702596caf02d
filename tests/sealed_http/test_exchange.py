"""Sealed messages: the draft's known answers, and what somebody on the way could do to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyhpke import AEADId, CipherSuite, KEMKeyPair

from sealed_http import exchange, key_config
from sealed_http.errors import MalformedError, TruncatedError, UnknownKeyError, UnopenedError
from sealed_http.exchange import PREFIX_SIZE, RESPONSE_NONCE_SIZE, ClientExchange, Opener, ServerExchange
from sealed_http.framing import CHUNK_LIMIT, Chunks, frame
from sealed_http.key_config import KeyConfig

KNOWN = json.loads((Path(__file__).parent / "known_answers.json").read_text())


def pair() -> tuple[KeyConfig, dict[bytes, bytes]]:
    keys = key_config.SUITE.kem.derive_key_pair(bytes(range(32)))
    config = KeyConfig(7, keys.public_key.to_public_bytes())
    return config, {config.header: keys.private_key.to_private_bytes()}


def pieces(text: str, sizes: list[int]) -> Iterator[tuple[bytes, bool]]:
    data, at = bytes.fromhex(text), 0
    for number, size in enumerate(sizes):
        yield data[at : at + size], number == len(sizes) - 1
        at += size


def sealed(exchange_: ClientExchange, *data: bytes) -> bytes:
    last = len(data) - 1
    framed = [frame(exchange_.request.seal(one, at == last), at == last) for at, one in enumerate(data)]
    return exchange_.prefix + b"".join(framed)


def opened(opener: Opener, stream: bytes, step: int = 1 << 20) -> list[bytes]:
    chunks, found = Chunks(), []
    for start in range(0, len(stream), step):
        found += [opener.open(chunk, final) for chunk, final in chunks.feed(stream[start : start + step])]
    chunk, final = chunks.end()
    return [*found, opener.open(chunk, final)]


@pytest.fixture
def suite_of_the_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = CipherSuite.new(key_config.KEM, key_config.KDF, AEADId.AES128_GCM)
    for module in (exchange, key_config):
        monkeypatch.setattr(module, "SUITE", suite)
        monkeypatch.setattr(module, "KEY_SIZE", 16)
    monkeypatch.setattr(key_config, "AEAD", AEADId.AES128_GCM)
    monkeypatch.setattr(exchange, "RESPONSE_NONCE_SIZE", 16)


@pytest.mark.usefixtures("suite_of_the_draft")
def test_known_answers() -> None:
    kem = key_config.SUITE.kem
    secret, public = bytes.fromhex(KNOWN["secret"]), bytes.fromhex(KNOWN["public"])
    own = kem.deserialize_private_key(bytes.fromhex(KNOWN["ephemeral_secret"]))
    enc = bytes.fromhex(KNOWN["sealed_request"])[7:39]
    config = KeyConfig(1, public)
    client = ClientExchange(config, KEMKeyPair(own, kem.deserialize_public_key(enc)))
    data = [one for one, _ in pieces(KNOWN["request"], KNOWN["request_pieces"])]
    request = sealed(client, *data)
    assert request.hex() == KNOWN["sealed_request"]
    server = ServerExchange(request[:PREFIX_SIZE], {config.header: secret})
    assert b"".join(opened(server.request, request[PREFIX_SIZE:])).hex() == KNOWN["request"]
    nonce, sealer = server.response(bytes.fromhex(KNOWN["response_nonce"]))
    answer = nonce + b"".join(
        frame(sealer.seal(one, final), final) for one, final in pieces(KNOWN["response"], KNOWN["response_pieces"])
    )
    assert answer.hex() == KNOWN["sealed_response"]
    assert b"".join(opened(client.response(nonce), answer[16:])).hex() == KNOWN["response"]


@pytest.mark.parametrize("step", [1, 7, 16, 1 << 20])
def test_there_and_back_in_any_pieces(step: int) -> None:
    config, keys = pair()
    client = ClientExchange(config)
    data = [b"first", b"", bytes(CHUNK_LIMIT), b"last"]
    request = sealed(client, *data)
    server = ServerExchange(request[:PREFIX_SIZE], keys)
    assert opened(server.request, request[PREFIX_SIZE:], step) == data
    nonce, sealer = server.response()
    answer = b"".join(frame(sealer.seal(one, at == 3), at == 3) for at, one in enumerate(data))
    assert opened(client.response(nonce), answer, step) == data
    assert len(nonce) == RESPONSE_NONCE_SIZE


def test_two_answers_never_share_a_nonce() -> None:
    config, keys = pair()
    server = ServerExchange(ClientExchange(config).prefix, keys)
    assert server.response()[0] != server.response()[0]


def request_of_three() -> tuple[list[bytes], bytes, dict[bytes, bytes]]:
    config, keys = pair()
    client = ClientExchange(config)
    chunks = [frame(client.request.seal(b"chunk %d" % at, at == 2), at == 2) for at in range(3)]
    return chunks, client.prefix, keys


CHANGES = {
    "a byte changed": lambda c: [c[0][:-1] + bytes([c[0][-1] ^ 1]), *c[1:]],
    "swapped": lambda c: [c[1], c[0], c[2]],
    "repeated": lambda c: [c[0], c[0], *c[1:]],
    "left out": lambda c: [c[0], c[2]],
    "cut off, the last one called final": lambda c: [c[0], b"\0" + c[1][1:]],
    "final in the middle": lambda c: [c[2], c[0], c[1]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_on_the_way(change: str) -> None:
    chunks, prefix, keys = request_of_three()
    stream = b"".join(CHANGES[change](chunks))
    with pytest.raises(UnopenedError, match="does not open"):
        opened(ServerExchange(prefix, keys).request, stream)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_cut_off(kept: int) -> None:
    chunks, prefix, keys = request_of_three()
    with pytest.raises(TruncatedError, match="ended before its final chunk"):
        opened(ServerExchange(prefix, keys).request, b"".join(chunks[:kept]))
    with pytest.raises(TruncatedError):
        opened(ServerExchange(prefix, keys).request, b"".join(chunks[:kept]) + chunks[2][:10])


def test_a_request_given_back_as_its_answer_does_not_open() -> None:
    config, keys = pair()
    client = ClientExchange(config)
    request = sealed(client, b"mine")
    with pytest.raises(UnopenedError):
        opened(client.response(bytes(RESPONSE_NONCE_SIZE)), request[PREFIX_SIZE:])
    other = ServerExchange(ClientExchange(config).prefix, keys)
    nonce, sealer = other.response()
    with pytest.raises(UnopenedError):  # somebody else's answer
        client.response(nonce).open(sealer.seal(b"theirs", True), True)


def test_other_keys() -> None:
    config, keys = pair()
    with pytest.raises(UnknownKeyError, match="does not hold"):
        ServerExchange(ClientExchange(KeyConfig(8, config.public_key)).prefix, keys)
    rotated = {config.header: bytes(range(1, 33))}
    with pytest.raises(UnopenedError):
        opened(ServerExchange(ClientExchange(config).prefix, rotated).request, b"\0" + bytes(20))
    with pytest.raises(UnopenedError, match="not a usable"):
        ClientExchange(KeyConfig(7, bytes(32)))  # of small order
    with pytest.raises(UnopenedError):
        ServerExchange(config.header + bytes(32), keys)


def test_what_is_no_message() -> None:
    _, keys = pair()
    with pytest.raises(MalformedError, match="39 bytes"):
        ServerExchange(b"short", keys)
    with pytest.raises(MalformedError, match="not 16401"):
        list(Chunks().feed(bytes.fromhex("80004011")))
    with pytest.raises(MalformedError, match="not 3"):
        list(Chunks().feed(b"\3abc"))
    with pytest.raises(MalformedError, match="final chunk has more"):
        list(Chunks().feed(bytes(CHUNK_LIMIT + 18)))


def test_key_configuration() -> None:
    config, _ = pair()
    assert key_config.decode(config.encode()) == config
    assert config.encode()[:3].hex() == "070020" and len(config.encode()) == 41
    for wrong in (b"", config.encode()[:-1], config.encode() + b"\0"):
        with pytest.raises(MalformedError, match="has 41 bytes here"):
            key_config.decode(wrong)
    for at in (1, 2, 35, 36, 37, 38, 40):
        changed = bytearray(config.encode())
        changed[at] ^= 1
        with pytest.raises(UnknownKeyError, match="this side knows"):
            key_config.decode(bytes(changed))
