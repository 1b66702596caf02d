"""What ACME needs of the door, in a process with the release's packages: its plain port, its TLS port (which echoes
lines), its keeping. The argument is a JSON object (`Setup`); the log goes to standard output, a line each."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from door import bounded, tls
from door.account import account_key
from door.acme import Keeper, Waits
from door.authority import AcmeTrouble, Authority
from door.challenges import PlainHttp
from door.issuing import Issuer


@dataclass
class Setup:
    """`impatient`: what a refusal says about waiting is said in the log, and not kept."""

    directory: str
    ca_file: str
    folder: str
    name: str = "chat.example"
    contact: str = ""
    waits: dict[str, float] = field(default_factory=dict)
    impatient: bool = False
    request_s: float = bounded.REQUEST_S


@dataclass
class Impatient:
    """Does not keep the waits that a refusal asks for."""

    ordering: Issuer

    @property
    def account(self) -> str:
        return self.ordering.account

    def issue(self, csr_pem: bytes) -> bytes:
        try:
            return self.ordering.issue(csr_pem)
        except AcmeTrouble as trouble:
            raise AcmeTrouble(f"{trouble.why} [{trouble.wait_s:.0f} s]", trouble.todo) from None


class Folder:
    """What outlives this process: a file for each name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> str:
        try:
            return (self._folder / name).read_text()
        except FileNotFoundError:
            return ""

    def put(self, name: str, value: str) -> None:
        (self._folder / f".{name}").write_text(value)
        (self._folder / f".{name}").replace(self._folder / name)


def say(line: str) -> None:
    print(line, flush=True)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def main(setup: Setup, plain: socket.socket, served: socket.socket) -> None:
    store = Folder(Path(setup.folder))
    key_pem = store.get("key").encode() or tls.draw()
    store.put("key", key_pem.decode())
    certificates = tls.Certificates(key_pem, (setup.name,), "drawn")
    certificates.self_sign()
    http = PlainHttp(f"https://{setup.name}")
    server = uvicorn.Server(uvicorn.Config(http, log_level="warning", lifespan="off"))
    authority = Authority(setup.directory, setup.contact, setup.ca_file)
    bounded.REQUEST_S = setup.request_s
    issuer = Issuer(authority, account_key(store, authority.directory, authority.contact), http)
    ordering = Impatient(issuer) if setup.impatient else issuer
    keeper = Keeper((setup.name,), certificates, ordering, store, say, say, Waits(**setup.waits))
    if keeper.restore():
        say("The kept certificate is shown.")
    listener = await asyncio.start_server(echo, sock=served, ssl=certificates.context)
    async with listener:
        say("ready")
        serving = asyncio.create_task(server.serve(sockets=[plain]))
        await asyncio.gather(serving, keeper.run())


if __name__ == "__main__":
    given: dict[str, Any] = json.loads(sys.argv[1])
    handles = [int(number) for number in os.environ["LISTENERS"].split(",")]
    asyncio.run(main(Setup(**given), *(socket.socket(fileno=handle) for handle in handles)))
