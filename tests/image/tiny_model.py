"""A model for the built-in engine that is as small as one can be, and answers everything with one word.

A GGUF file, version 3 (github.com/ggml-org/ggml, docs/gguf.md), of the architecture `llama`: what reads a token passes
through unchanged, and whatever it was, the word comes next, and after the word, since it was said, the end.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

WORD = "Certainly"
_WIDTH, _ALIGNMENT = 32, 32
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6  # kinds of tokens
_TEXT, _LIST, _I32, _U32, _F32 = 8, 9, 5, 4, 6  # kinds of values


def gguf() -> bytes:
    """The file."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), WORD]
    kinds = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, _NORMAL]
    word, end = len(tokens) - 1, tokens.index("</s>")
    settings = [
        _text("general.architecture", "llama"), _number("llama.block_count", 1), _number("llama.context_length", 4096),
        _number("llama.embedding_length", _WIDTH), _number("llama.feed_forward_length", _WIDTH),
        _number("llama.attention.head_count", 1), _float("llama.attention.layer_norm_rms_epsilon", 1e-5),
        _text("tokenizer.ggml.model", "llama"),
        _list("tokenizer.ggml.tokens", _TEXT, [_string(token) for token in tokens]),
        _list("tokenizer.ggml.scores", _F32, [struct.pack("<f", 0.0)] * len(tokens)),
        _list("tokenizer.ggml.token_type", _I32, [struct.pack("<i", kind) for kind in kinds]),
        _number("tokenizer.ggml.bos_token_id", 1), _number("tokenizer.ggml.eos_token_id", end),
    ]  # fmt: skip
    first = [1.0] + [0.0] * (_WIDTH - 1)
    likely = {word: 10.0, end: 9.6}  # the engine takes a tenth from what was said already
    square, ones = [0.0] * (_WIDTH * _WIDTH), [1.0] * _WIDTH
    tensors: dict[str, tuple[tuple[int, ...], list[float]]] = {
        "token_embd.weight": ((_WIDTH, len(tokens)), first * len(tokens)),
        "output_norm.weight": ((_WIDTH,), ones),
        "output.weight": (
            (_WIDTH, len(tokens)),
            [value * likely.get(number, 0.0) for number in range(len(tokens)) for value in first],
        ),
        "blk.0.attn_norm.weight": ((_WIDTH,), ones),
        "blk.0.ffn_norm.weight": ((_WIDTH,), ones),
    }
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        tensors[f"blk.0.{name}.weight"] = ((_WIDTH, _WIDTH), square)
    return _file(settings, tensors)


def _file(settings: Sequence[bytes], tensors: Mapping[str, tuple[tuple[int, ...], list[float]]]) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(settings)) + b"".join(settings)
    data = b""
    for name, (shape, values) in tensors.items():
        head += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += _aligned(struct.pack(f"<{len(values)}f", *values))
    return _aligned(head) + data


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _text(name: str, value: str) -> bytes:
    return _string(name) + struct.pack("<I", _TEXT) + _string(value)


def _number(name: str, value: int) -> bytes:
    return _string(name) + struct.pack("<II", _U32, value)


def _float(name: str, value: float) -> bytes:
    return _string(name) + struct.pack("<If", _F32, value)


def _list(name: str, kind: int, items: Sequence[bytes]) -> bytes:
    return _string(name) + struct.pack("<IIQ", _LIST, kind, len(items)) + b"".join(items)
