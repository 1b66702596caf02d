"""Ask a Trustee for the owner's grant, by its Key Broker Service's protocol 0.4.0. Blocking: it belongs in a thread.

`POST auth` is answered with a challenge and a session's cookie, `POST attest` takes a quote over the challenge and this
launch's key, `GET resource/...` then gives what the broker's policy releases, sealed to that key. Nothing that it says
is believed: what counts is the owner's signature on what it releases, and that only this launch can open it. So whoever
stands between, or runs another broker, can keep the service locked, and nothing else; the certificate of an https
address is checked all the same. Proxies, `.netrc` and bundles that the environment names are not used.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from http.cookies import CookieError, SimpleCookie
from typing import Any

import certifi
import requests
from requests import exceptions as _exceptions
from urllib3.exceptions import HTTPError

from data_unlock.errors import UnlockError
from data_unlock.grant import Grant, decode

from .bounded import REQUEST_S, Bounded, RefusedAnswer, innermost, plain
from .key_of_launch import LaunchKey, SealedError

VERSION = "0.4.0"
COOKIE = "kbs-session-id"
#: Another handshake is begun this often where the session has ended before the resource was asked for.
SESSIONS = 3

#: The quote for a challenge and a point (base64url): the attester makes it. Raises `door.binding.BindError`.
Quote = Callable[[str, str, str], bytes]


class BrokerTrouble(Exception):
    """No grant this time. `why` is a sentence of ours; `said` somebody else's words, for the log alone.

    `kind` is what a page can say of it: the broker is `unreachable`, it `denied` this launch the key, it has `nothing`
    for it, what it has is `useless`, or what it answered is not `understood`.
    """

    def __init__(self, why: str, said: str = "", kind: str = "understood") -> None:
        super().__init__(f"{why[:-1]} ({said})." if said else why)
        self.why, self.said, self.kind = why, said, kind


@dataclass(frozen=True)
class Place:
    """Where the grant is: the broker's address and `repository/type/tag`. `ca_file`: PEM file of CAs for its
    certificate, "" for the usual ones."""

    url: str
    resource: str
    ca_file: str = ""


@dataclass(frozen=True)
class KeyBroker:
    """The broker at `place`, asked for what `owner` (an Ed25519 public key, 32 bytes) granted."""

    place: Place
    owner: bytes
    quote: Quote

    def ask(self) -> Grant:
        """The grant. Raises BrokerTrouble, and what `quote` raises."""
        key = LaunchKey()  # of this attempt: what a broker seals is for one answer
        with _session(self.place) as session:
            for _ in range(SESSIONS):
                self._attest(session, key)
                answer = self._request(session, "GET", f"resource/{self.place.resource}")
                if answer.status_code == 200:
                    return self._opened(key, _object(answer))
                kind, said = _error(answer)
                if kind not in ("TokenNotFound", "TokenVerifierError"):
                    raise _refused(answer.status_code, kind, said)
        raise BrokerTrouble("The Trustee forgets the session before its resource is asked for.", said)

    def _attest(self, session: requests.Session, key: LaunchKey) -> None:
        """The handshake, at whose end the session may ask for resources."""
        session.headers.pop("Cookie", None)
        asked = {"version": VERSION, "tee": "tdx", "extra-params": {"supported-hash-algorithms": ["sha384"]}}
        answer = self._request(session, "POST", "auth", asked)
        if answer.status_code != 200:
            raise _not_begun(answer.status_code, *_error(answer))
        challenge = _object(answer)
        nonce, parameters = challenge.get("nonce"), challenge.get("extra-params")
        if not isinstance(nonce, str) or not nonce:
            raise _garbage("a challenge without a nonce")
        chosen = parameters.get("selected-hash-algorithm", "sha384") if isinstance(parameters, dict) else "sha384"
        if str(chosen).lower() != "sha384":
            raise _garbage(f"a challenge that wants {plain(chosen)}, and TDX evidence is bound by sha384")
        session.headers["Cookie"] = f"{COOKIE}={_cookie(answer)}"
        quote = base64.b64encode(self.quote(nonce, key.x, key.y)).decode()
        evidence = {"primary_evidence": {"cc_eventlog": None, "quote": quote}, "additional_evidence": ""}
        runtime_data = {"nonce": nonce, "tee-pubkey": key.public}
        answer = self._request(session, "POST", "attest", {"runtime-data": runtime_data, "tee-evidence": evidence})
        if answer.status_code != 200:
            _, said = _error(answer)
            raise BrokerTrouble("The Trustee does not accept this launch's evidence.", said, "denied")
        if not isinstance(_object(answer).get("token"), str):
            raise _garbage("an answer without a token")

    def _opened(self, key: LaunchKey, jwe: dict[str, Any]) -> Grant:
        try:
            return decode(key.open(jwe), self.owner, self.place.resource)
        except SealedError as error:
            raise BrokerTrouble(f"The Trustee's answer does not open: {error}.", kind="useless") from None
        except UnlockError as error:
            raise BrokerTrouble(
                f"What the Trustee keeps at {self.place.resource} opens nothing: {error}. Its owner makes what belongs "
                "there with quote-verifier unlock --grant.",
                kind="useless",
            ) from None

    def _request(self, session: requests.Session, method: str, path: str, content: Any = None) -> requests.Response:
        body = json.dumps(content) if content is not None else None
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            return session.request(
                method,
                f"{self.place.url}/kbs/v0/{path}",
                data=body,
                headers=headers,
                timeout=REQUEST_S,
                verify=self.place.ca_file or certifi.where(),
            )
        except _exceptions.SSLError as error:
            raise BrokerTrouble(
                "The Trustee has no certificate that is trusted here; a CA of your own needs DATA_TRUSTEE_CA_FILE.",
                innermost(error),
                "unreachable",
            ) from error
        except RefusedAnswer as error:
            raise _garbage(str(error)) from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise BrokerTrouble("The Trustee cannot be reached.", innermost(error), "unreachable") from error


def _session(place: Place) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers = requests.structures.CaseInsensitiveDict(
        {"User-Agent": "open-webui-tdx", "Accept-Encoding": "identity", "Accept": "application/json"}
    )
    # the one cookie that counts is sent by hand, whatever this machine's clock says of its end
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.adapters.clear()
    session.mount(f"{place.url.partition('://')[0]}://", Bounded())
    return session


def _object(answer: requests.Response) -> dict[str, Any]:
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _garbage(f"HTTP {answer.status_code} without a JSON object")
    return found


def _cookie(answer: requests.Response) -> str:
    """The session's name. Raises BrokerTrouble."""
    try:
        found = SimpleCookie(answer.headers.get("Set-Cookie", "")).get(COOKIE)
    except CookieError:
        found = None
    if found is None or not found.value.isalnum():
        raise _garbage(f"a challenge without the cookie {COOKIE}")
    return found.value


def _error(answer: requests.Response) -> tuple[str, str]:
    """A broker's error: the last part of its type, and its words (RFC 7807). Raises BrokerTrouble."""
    found = _object(answer)
    return str(found.get("type", "")).rpartition("/")[2], plain(found.get("detail"))


def _not_begun(status: int, kind: str, said: str) -> BrokerTrouble:
    if "Version Mismatch" in said:
        return BrokerTrouble(f"The Trustee speaks another version of the protocol than {VERSION}.", said)
    return _refused(status, kind, said)


def _refused(status: int, kind: str, said: str) -> BrokerTrouble:
    if kind == "PolicyDeny" or status == 403:
        todo = "it has to know its registers (docs/data-at-rest.md)"
        return BrokerTrouble(f"The Trustee's policy does not release the key to this launch: {todo}.", said, "denied")
    if kind == "PluginInternalError":
        todo = "the owner's grant belongs there (quote-verifier unlock --grant)"
        return BrokerTrouble(f"The Trustee has no resource of this name that it could give: {todo}.", said, "nothing")
    if status == 404:
        return BrokerTrouble("What answers there serves no resources.", said)
    return BrokerTrouble("The Trustee refuses.", f"HTTP {status}, {plain(kind) or 'no reason'}: {said}")


def _garbage(said: str) -> BrokerTrouble:
    return BrokerTrouble("What answers at DATA_TRUSTEE_URL is no Trustee.", said)
