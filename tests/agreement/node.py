"""TypeScript's answers, from long-lived processes of the pinned Node.js that run the bundled verifiers."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests import webbundle
from tests.agreement.questions import Answer, Question, refusal

DRIVER = Path(__file__).resolve().parents[2] / "web" / "test" / "agreement.mjs"


def _answer(line: str) -> Answer:
    if not line:
        raise RuntimeError("the Node.js process ended before it answered; its error is above")
    value: dict[str, Any] = json.loads(line)
    if value.get("refused"):
        return refusal(value["refused"])
    return Answer(value["overall"], value["checks"], value["details"])


class _Batch(threading.Thread):
    """One process's share of the questions: a thread writes, this one reads, so that no pipe fills up."""

    def __init__(self, process: subprocess.Popen[str], questions: Sequence[Question]) -> None:
        super().__init__(daemon=True)
        self.process, self.questions = process, questions
        self.lines: list[str] = []
        self.start()

    def _write(self) -> None:
        assert self.process.stdin is not None
        try:
            for question in self.questions:
                self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # said by the reader, which finds no answer

    def run(self) -> None:
        assert self.process.stdout is not None
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
        self.lines = [self.process.stdout.readline() for _ in self.questions]
        writer.join()

    def answers(self) -> list[Answer]:
        self.join()
        return [_answer(line) for line in self.lines]


class Node:
    """A context: `ask` hands questions out, and what it returns gives their answers, in order, once they are there."""

    def __init__(self, processes: int | None = None) -> None:
        bundles = webbundle.folder()
        scripts = [DRIVER, bundles / "release" / "verifier.js", bundles / "test-root" / "verifier.js"]
        command = [webbundle.node_program(), *scripts]
        count = processes or min(4, os.cpu_count() or 1)
        pipe = subprocess.PIPE
        self.processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(count)]

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()

    def ask(self, questions: Sequence[Question]) -> Asked:
        count = len(self.processes)
        return Asked([_Batch(process, questions[at::count]) for at, process in enumerate(self.processes)])


class Asked:
    """Questions on their way."""

    def __init__(self, batches: list[_Batch]) -> None:
        self.batches = batches

    def answers(self) -> list[Answer]:
        shares = [batch.answers() for batch in self.batches]
        total = sum(map(len, shares))
        return [shares[at % len(shares)][at // len(shares)] for at in range(total)]
