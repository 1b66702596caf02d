"""What every implementation must make of these messages: `python -m tests.sealed_http.vectors` writes `vectors.json`.

Drawn values are fixed here, so the file is the same each time: a change of the wire shows in it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pyhpke import KEMKeyPair

from sealed_http import key_config
from sealed_http.binary_http import DATA_LIMIT, END, Head, encode_content, encode_head
from sealed_http.exchange import PREFIX_SIZE, ClientExchange, ServerExchange
from sealed_http.framing import frame
from sealed_http.key_config import KeyConfig

FILE = Path(__file__).with_name("vectors.json")
_SERVER, _CLIENT, _NONCE = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))

REQUESTS = {
    "bare": Head((), "GET", "chat.example.org", "/api/config"),
    "fields": Head(
        (("authorization", "Bearer abc"), ("x-name", "J\u00fcrgen")), "POST", "[::1]:8080", "/api/chat/completions?a=1"
    ),
    "just fits": Head((("cookie", "a" * 215),), "GET", "h", "/"),
    "one too many": Head((("cookie", "a" * 216),), "GET", "h", "/"),
    "long": Head((("cookie", "a" * 5000),), "GET", "h", "/"),
}
CONTENTS = {
    "one byte": 1,
    "fills 256": 252,
    "one more": 253,
    "fills 4096": 4092,
    "full": DATA_LIMIT,
    "two": DATA_LIMIT + 1,
}
ANSWER = Head((("content-type", "application/json"), ("x-name", "J\u00fcrgen")), status=200)


def content(size: int) -> bytes:
    """Bytes that count, so that none can be exchanged for another unseen."""
    return bytes(at * 31 % 251 for at in range(size))


def _exchange() -> dict[str, str]:
    """One request of a fixed client, and its answer."""
    kem = key_config.SUITE.kem
    server, own = kem.derive_key_pair(_SERVER), kem.derive_key_pair(_CLIENT)
    config = KeyConfig(1, server.public_key.to_public_bytes())
    client = ClientExchange(config, KEMKeyPair(own.private_key, own.public_key))
    parts = [encode_head(REQUESTS["fields"]), *encode_content(b"hello"), END]
    request = client.prefix + _sealed(client.request, parts)
    keys = {config.header: server.private_key.to_private_bytes()}
    nonce, sealer = ServerExchange(request[:PREFIX_SIZE], keys).response(_NONCE)
    answer = nonce + _sealed(sealer, [encode_head(ANSWER), *encode_content(b"good day"), END])
    return {
        "key_config": config.encode().hex(),
        "client_secret": own.private_key.to_private_bytes().hex(),
        "client_public": own.public_key.to_public_bytes().hex(),
        "request": request.hex(),
        "answer": answer.hex(),
        "answer_content": b"good day".hex(),
    }


def _sealed(sealer: Any, parts: list[bytes]) -> bytes:
    last = len(parts) - 1
    return b"".join(frame(sealer.seal(part, at == last), at == last) for at, part in enumerate(parts))


def document() -> dict[str, Any]:
    """The file's content."""
    heads = {
        name: {
            "method": head.method,
            "authority": head.authority,
            "path": head.path,
            "fields": [list(field) for field in head.fields],
            "sha256": hashlib.sha256(encode_head(head)).hexdigest(),
        }
        for name, head in REQUESTS.items()
    }
    contents = {
        name: {"size": size, "chunks": [hashlib.sha256(chunk).hexdigest() for chunk in encode_content(content(size))]}
        for name, size in CONTENTS.items()
    }
    return {"request_heads": heads, "contents": contents, "exchange": _exchange()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(document(), indent="\t", ensure_ascii=False) + "\n", encoding="utf-8")
