"""What the launcher tells the person at the terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass

_TLS = {
    "off": "off: plain http, or TLS ends somewhere else",
    "self-signed": "ends in here, with a key drawn in here; browsers warn about the certificate, which nobody signed",
    "acme": "ends in here, with a key drawn in here",
    "files": "ends in here, with a key that was given",
}
_EGRESS = {
    "closed": "nothing: what runs in here reaches no other machine",
    "open": "anything: what runs in here is not fenced in, and every verifier says so",
}
BOLD, AMBER, RESET = "\x1b[1m", "\x1b[33m", "\x1b[0m"


def say(text: str, *, style: str = "") -> None:
    """One message to standard output, coloured only on a terminal."""
    coloured = style and sys.stdout.isatty()
    print(f"{style}{text}{RESET}" if coloured else text, flush=True)


def notice(text: str) -> None:
    """Something that the operator must not miss."""
    say(f"NOTICE: {text}", style=AMBER)


@dataclass(frozen=True)
class Summary:
    """The state of a launch, once the web server answers."""

    address: str
    origin: str
    kind: str
    launch: str
    model: str
    account: str
    data: str
    tls: str
    egress: str | list[str]

    @property
    def line(self) -> str:
        """The same in one line, for a service manager."""
        tdx = "TDX SIMULATED" if self.kind != "tdx" else "TDX"
        return f"Serving {self.origin or self.address}; {tdx}; {self.launch}; {self.model}"

    def print(self, seconds: float) -> None:
        """Say that the service is ready, after so many seconds."""
        simulated = self.kind != "tdx"
        tdx = "SIMULATED: quotes prove nothing, and every verifier says so" if simulated else "real"
        rows = {
            "address": self.address + (f"  (public: {self.origin})" if self.origin else ""),
            "TLS": _TLS[self.tls],
            "gets out": _EGRESS[self.egress] if isinstance(self.egress, str) else f"to {', '.join(self.egress)} alone",
            "TDX": tdx,
            "launch": self.launch,
            "model": self.model,
            "data": self.data,
            "runs as": self.account,
        }
        say(f"\nOpen WebUI is ready after {seconds:.1f} s.", style=BOLD)
        for name, value in rows.items():
            say(f"  {name:8} {value}", style=AMBER if name == "TDX" and simulated else "")
        say(f"Open {self.origin or self.address} in a browser. Ctrl-C stops it.\n")
