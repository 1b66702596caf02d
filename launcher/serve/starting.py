"""Start an Ollama where one is wanted and none answers."""

from __future__ import annotations

from pathlib import Path

from ..errors import UnavailableError, writing
from ..measure import model_server, ollama, ollama_program
from ..plan import processes
from ..plan.effective import is_local
from ..plan.launch import Launch
from ..summary import say
from . import accounts
from .fence_unit import UnitFence
from .giving import give
from .supervisor import Supervisor


def ollama_where_none_answers(launch: Launch, supervisor: Supervisor, fenced: bool) -> bool:
    """With LLM=ollama and nobody at its address: start the installed one; it is measured next, as any that answers.

    Whether it did; inside the fence where what is to ask it is (`fenced`). Raises UnavailableError, ChildError.
    """
    settings = launch.settings
    url = settings.ollama_base_url
    if model_server.wanted(settings, launch.kind) != "ollama" or not is_local(url) or ollama.version(url) is not None:
        return False
    if fenced and isinstance(supervisor.fence, UnitFence):  # nothing of the launcher's can ask it there
        raise UnavailableError(
            f"No Ollama answers at {url}. Under systemd it is a unit of its own: start it (systemctl start "
            "open-webui-tdx-ollama), correct OLLAMA_BASE_URL, or use the small embedded model with LLM=embedded."
        )
    try:
        binary = ollama_program.installed(settings.ollama_binary)
    except UnavailableError as error:
        raise UnavailableError(
            f"No Ollama answers at {url}. {error} Or start it (ollama serve), correct OLLAMA_BASE_URL, "
            "or use the small embedded model with LLM=embedded."
        ) from None
    needs = [Path(launch.python), launch.release, binary, *(p for p in [settings.ollama_models] if p.exists())]
    user = accounts.for_ollama(launch.kind == "tdx", needs)
    with writing("Ollama's home", launch.data.ollama):
        launch.data.ollama.mkdir(mode=0o700, exist_ok=True)
    give(user, launch.data.ollama)
    say(f"No Ollama answers at {url}: starting {binary} as {user.name if user else accounts.current()}.")
    child = supervisor.start(processes.ollama(launch, binary, user, fenced))
    supervisor.wait([child], float(settings.start_timeout_s))
    return True
