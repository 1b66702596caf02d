"""The embedded model server: llama.cpp's own OpenAI-compatible server, for machines without Ollama.

Runs as a process of its own (`_module launcher.serve.llm WEIGHTS READY_FILE`), listens on loopback only, on ports
that the kernel chooses, and answers only to the key in `LLM_API_KEY`, so that nobody else on the machine can use it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ..files import beside
from ..plan.model import model_name

CONTEXT_TOKENS = 4096
SLOTS = 2


def serve(weights: Path, ready_file: Path, key: str) -> None:
    """Serve chat and embeddings until SIGTERM. The ready file holds the two base URLs, as JSON."""
    xllamacpp = importlib.import_module("xllamacpp")  # untyped, and only the release has it

    def start(embedding: bool) -> Any:
        params = xllamacpp.CommonParams()
        params.model.path = str(weights)
        params.model_alias = {model_name(weights)}
        params.hostname, params.port = "127.0.0.1", 0
        params.api_keys = [key]
        params.offline = True
        # It would load the model twice, to see what fits into a graphics card, and compute with it before it is asked.
        params.fit_params = params.warmup = False
        params.ui = params.endpoint_slots = params.endpoint_props = False
        params.n_parallel = SLOTS
        params.n_ctx = CONTEXT_TOKENS * SLOTS
        params.ctx_shift = True  # a long chat forgets its beginning instead of failing
        params.verbosity = 1
        # What the authors of SmolLM2 recommend; a request may say otherwise. A small model may also never stop.
        params.sampling.temp, params.sampling.top_p, params.sampling.penalty_repeat = 0.2, 0.9, 1.1
        params.n_predict = 1024
        if embedding:
            params.embedding = True
            params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
            params.n_batch = params.n_ubatch = params.n_ctx = CONTEXT_TOKENS
            params.n_parallel = 1
            params.ctx_shift = False
        return xllamacpp.Server(params)

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    chat, embeddings = start(False), start(True)
    ready = {
        "chat": f"{chat.listening_address}/v1",
        "embeddings": f"{embeddings.listening_address}/v1",
        "model": model_name(weights),
    }
    with beside(ready_file) as fresh:
        fresh.write_text(json.dumps(ready))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    # llama.cpp's threads need no farewell, and its destructors may wait for an answer that is still being written.
    os._exit(0)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), os.environ["LLM_API_KEY"])
