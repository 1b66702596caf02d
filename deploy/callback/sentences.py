"""Ansible's usual output, but a refusal is its sentence alone, and the verdict is the last line."""

from __future__ import annotations

from typing import Any

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Usual

DOCUMENTATION = """
name: sentences
type: stdout
short_description: refusals as one sentence, the verdict last
description: The default output, in which refusals are not dumped as data.
extends_documentation_fragment: [default_callback, result_format_callback]
"""

REFUSALS = ("ansible.builtin.assert", "ansible.builtin.fail")


class CallbackModule(Usual):
    """What ansible-playbook writes to the terminal."""

    CALLBACK_NAME = "sentences"

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """One sentence where one was written; what a module says of itself as ever."""
        if result._task.action not in REFUSALS:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._say(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """The same for one of several."""
        if result._task.action not in REFUSALS:
            super().v2_runner_item_on_failed(result)
            return
        self._say(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The counts, then what the verifier said."""
        super().v2_playbook_on_stats(stats)
        verdict = stats.custom.get("_run", {}).get("verdict")
        if verdict:
            self._display.display(verdict)

    def _say(self, result: Any) -> None:
        sentence = " ".join(str(result._result.get("msg", "")).split())
        if sentence != "One or more items failed":  # each was said already
            self._display.display(f"fatal: [{result._host.get_name()}]: {sentence}", constants.COLOR_ERROR)
