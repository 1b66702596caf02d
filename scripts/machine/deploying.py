"""`make deploy`: the playbook of `deploy/` against one host, from an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from scripts.checks.parts import call
from scripts.config import Config
from scripts.errors import MissingError, UsageError

_HOST = re.compile(r"(?:(?P<user>[a-z_][a-z0-9_-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.:-]*)")


def deploy_python(cfg: Config) -> Path:
    """The interpreter of the environment locked in `deploy/requirements.lock`, made if need be."""
    print_path = "import sys; print(sys.executable)"
    command: list[str | Path] = [cfg.python, cfg.root / "scripts" / "bootstrap.py", "--deploy", "--", "-c", print_path]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise MissingError("The environment of the set-up could not be made; the sentence above says why.")
    return Path(answer.stdout.strip().splitlines()[-1])


def arguments(host: str, variables: Path | None, check: bool) -> list[str]:
    """What ansible-playbook is told: `local` or `user@host`, a file of variables, and whether only to look."""
    found = _HOST.fullmatch(host)
    if not found:
        raise UsageError(f"HOST={host} is no host: name one such as root@chat.example, or `local` for this machine.")
    # Here Ansible is told its own Python: of those in somebody's PATH it would take the first name, which need not run.
    own_python = "ansible_python_interpreter={{ ansible_playbook_python }}"
    told = ["--inventory", "localhost,", "--connection", "local", "--extra-vars", own_python]
    if host != "local":
        told = ["--inventory", f"{found['host']},", *(["--user", found["user"]] if found["user"] else [])]
    if variables is not None:
        if not variables.is_file():
            raise UsageError(f"VARS={variables} is no file: take deploy/group_vars/all.yml for what may be in it.")
        told += ["--extra-vars", f"@{variables.absolute()}"]
    return [*told, *(["--check", "--diff"] if check else [])]


def deploy(cfg: Config, host: str, variables: Path | None, check: bool) -> None:
    """Run the playbook in this terminal. UsageError, MissingError, CommandError."""
    told = arguments(host, variables, check)
    folder = cfg.root / "deploy"
    environment = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "LC_ALL": os.environ.get("LC_ALL") or "C.UTF-8"}
    call([deploy_python(cfg), "-m", "ansible", "playbook", *told, folder / "site.yml"], folder, environment)
