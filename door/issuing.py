"""One certificate from an ACME server (RFC 8555) by HTTP-01, with the `acme` library. Blocking: it belongs in a thread.

The server was named by the operator, and its certificate is checked; what it says is bounded in size and time all the
same, and whatever it says that is not ACME becomes one `AcmeTrouble`. Proxies, `.netrc` and bundles that the
environment names are not used: the door's words go where `ACME_DIRECTORY` says.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import certifi
import josepy as jose
import requests
from acme import challenges, errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from requests import exceptions as _exceptions
from urllib3.exceptions import HTTPError

from . import bounded
from .authority import AcmeTrouble, Answers, Authority
from .bounded import Bounded, RefusedAnswer, innermost, plain
from .chain import moment

POLL_S = 120.0
MAX_CLOCK_ERROR_S = 3600
# Let's Encrypt counts five failed validations an hour and name.
REFUSED_S = 15 * 60
LIMITED_S = 3600


@dataclass
class _Last:
    """What the library does not hand on: the moment and the patience that the last answer named."""

    retry_after: str = ""
    date: str = ""

    def hear(self, response: requests.Response) -> None:
        """The head of an answer."""
        self.retry_after = response.headers.get("Retry-After", "")
        self.date = response.headers.get("Date", "")


@dataclass
class Issuer:
    """Orders certificates from one authority for one account. `account` is its URI once the server has said it."""

    authority: Authority
    account_key: EllipticCurvePrivateKey
    answers: Answers
    account: str = ""
    _last: _Last = field(default_factory=_Last)

    def issue(self, csr_pem: bytes) -> bytes:
        """The chain (PEM, leaf first) for a certificate signing request (PEM), as sent. Raises `AcmeTrouble`."""
        with self._explained():
            client = self._client()
            self._register(client)
            order = client.new_order(csr_pem)
            with self._answering(client, order.authorizations):
                order = client.poll_authorizations(order, _deadline())
            client.begin_finalization(order)
            return str(client.poll_finalization(order, _deadline()).fullchain_pem).encode()

    def _client(self) -> ClientV2:
        network = ClientNetwork(
            jose.JWKEC(key=self.account_key),
            alg=jose.ES256,
            verify_ssl=self.authority.ca_file or certifi.where(),  # requests takes a path, too
            user_agent="open-webui-tdx",
            timeout=bounded.REQUEST_S,
        )
        network.session.trust_env = False
        network.session.headers["Accept-Encoding"] = "identity"
        network.session.adapters.clear()  # nothing but https, whatever addresses a directory lists
        network.session.mount("https://", Bounded(self._last.hear))
        directory = ClientV2.get_directory(self.authority.directory, network)
        self._check_clock()
        return ClientV2(directory, network)

    def _check_clock(self) -> None:
        """Before anything is ordered: a certificate for another year would be thrown away, and count all the same."""
        try:
            theirs = parsedate_to_datetime(self._last.date).timestamp()
        except ValueError:
            return
        ours = time.time()
        if abs(ours - theirs) > MAX_CLOCK_ERROR_S:
            raise AcmeTrouble(
                f"this machine's clock says {moment(ours)}, and the CA's {moment(theirs)}",
                "Set the clock of this machine",
            )

    def _register(self, client: ClientV2) -> None:
        """The account of the key, made if there is none: a CA that forgot it is no reason to stop."""
        if client.external_account_required():
            raise AcmeTrouble(
                "this CA gives certificates only to accounts that were made elsewhere (external account binding)",
                "Name another one with ACME_DIRECTORY",
                LIMITED_S,
            )
        asked = messages.NewRegistration.from_data(email=self.authority.contact or None, terms_of_service_agreed=True)
        try:
            self.account = str(client.new_account(asked).uri)
        except errors.ConflictError as known:  # the library's word for: it exists
            self.account = known.location
            client.net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())

    @contextmanager
    def _answering(self, client: ClientV2, found: Iterable[messages.AuthorizationResource]) -> Iterator[None]:
        tokens = []
        try:
            for authorization in found:
                if authorization.body.status == messages.STATUS_VALID:
                    continue
                challenge = _http01(authorization)
                response, text = challenge.response_and_validation(client.net.key)
                tokens.append(challenge.chall.encode("token"))
                self.answers.put(tokens[-1], text)
                client.answer_challenge(challenge, response)
            yield
        finally:
            for token in tokens:
                self.answers.remove(token)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Every way in which the library can fail, as `AcmeTrouble`."""
        try:
            yield
        except AcmeTrouble:
            raise
        except messages.Error as problem:
            raise self._problem(problem) from problem
        except errors.ValidationError as failed:
            raise self._problem(_first_problem(failed)) from failed
        except errors.IssuanceError as failed:
            raise self._problem(failed.error) from failed
        except errors.TimeoutError as late:
            raise AcmeTrouble(f"the CA had not decided after {POLL_S:g} s", "", REFUSED_S) from late
        except _exceptions.SSLError as error:
            raise _untrusted(error) from error
        except RefusedAnswer as error:
            raise _garbage(str(error)) from error
        except (_exceptions.InvalidSchema, _exceptions.MissingSchema, _exceptions.InvalidURL) as error:
            raise _garbage(f"it names an address that is not https: {error}") from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise AcmeTrouble(
                f"the CA cannot be reached: {innermost(error)}", "See whether this machine reaches ACME_DIRECTORY"
            ) from error
        except errors.ClientError as error:
            raise _no_acme(error) from error
        except Exception as error:  # the library trusts what it reads: a wrong type can fail anywhere in it
            if isinstance(error, ValueError) and str(error).startswith("Requesting "):  # its word for: unreachable
                raise AcmeTrouble(
                    f"the CA cannot be reached: {plain(error)}", "See whether this machine reaches ACME_DIRECTORY"
                ) from error
            raise _garbage(f"{type(error).__name__}: {error}") from error

    def _problem(self, problem: messages.Error) -> AcmeTrouble:
        inner = problem.subproblems[0] if problem.subproblems else problem
        code = str(inner.typ).rpartition(":")[2]
        todo, wait_s = _TODO.get(code, ("If it lasts, look at the CA's own pages about its state", REFUSED_S))
        if code == "rateLimited":
            wait_s = max(wait_s, self._patience())
        if code == "caa":
            todo = todo.format(account=plain(self.account) or "none yet")
        return AcmeTrouble(f"the CA refused ({plain(code) or 'no reason'}): {plain(problem.detail)}", todo, wait_s)

    def _patience(self) -> float:
        """The seconds that Retry-After names, at most two weeks; 0 for none that is understood."""
        named = self._last.retry_after
        try:
            seconds = float(named) if re.fullmatch(r"[0-9]{1,9}", named) else _until(named)
        except (ValueError, OverflowError):
            return 0
        return min(max(seconds, 0.0), 14 * 86_400.0)


_REACH = "Port 80 of the name must reach HTTP_PORT of this machine, from everywhere"
_TODO: dict[str, tuple[str, float]] = {
    "rateLimited": ("Nothing helps but to wait; try settings out with the CA's staging directory", LIMITED_S),
    "rejectedIdentifier": ("ORIGIN must name a host that this CA gives certificates for", LIMITED_S),
    "unsupportedIdentifier": ("ORIGIN must name a host that this CA gives certificates for", LIMITED_S),
    "caa": ("The name's CAA records must allow this CA and, if they name one, the account {account}", REFUSED_S),
    "dns": ("The name of ORIGIN must have an A or AAAA record that leads to this machine", REFUSED_S),
    "unknownHost": ("The name of ORIGIN must have an A or AAAA record that leads to this machine", REFUSED_S),
    "connection": (_REACH, REFUSED_S),
    "incorrectResponse": (_REACH, REFUSED_S),
    "unauthorized": (_REACH, REFUSED_S),
    "tls": (_REACH, REFUSED_S),
    "invalidContact": ("ACME_CONTACT must be a mail address that this CA takes, or empty", LIMITED_S),
    "unsupportedContact": ("ACME_CONTACT must be a mail address that this CA takes, or empty", LIMITED_S),
    "externalAccountRequired": ("Name another CA with ACME_DIRECTORY", LIMITED_S),
    "userActionRequired": ("The CA waits for its operator's or your consent; its own pages say to what", LIMITED_S),
    "serverInternal": ("The fault is the CA's; it is asked again", 0),
}


def _http01(authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
    for challenge in authorization.body.challenges:
        if isinstance(challenge.chall, challenges.HTTP01):
            return challenge
    name = plain(authorization.body.identifier.value)
    raise AcmeTrouble(f"the CA offers no HTTP-01 for {name}", "Name another one with ACME_DIRECTORY", LIMITED_S)


def _first_problem(failed: errors.ValidationError) -> messages.Error:
    for authorization in failed.failed_authzrs:
        for challenge in authorization.body.challenges:
            if challenge.error is not None:
                return challenge.error
    return messages.Error(detail="it gave no reason")


def _untrusted(error: _exceptions.SSLError) -> AcmeTrouble:
    said = innermost(error)
    if "expired" in said or "not yet valid" in said:
        todo = f"This machine's clock says {moment(time.time())}: set it if that is wrong"
    else:
        todo = "A CA of your own needs ACME_CA_FILE, the certificates that its ACME server is trusted by"
    return AcmeTrouble(f"the ACME server has no certificate that is trusted here ({said})", todo)


def _garbage(said: str) -> AcmeTrouble:
    todo = "ACME_DIRECTORY must be the address of an ACME directory"
    return AcmeTrouble(f"what answers there does not speak ACME ({plain(said)})", todo)


def _no_acme(error: errors.ClientError) -> AcmeTrouble:
    """An answer that is no ACME problem: the library hands the response over, or says what it misses."""
    answer = error.args[0] if error.args else None
    if isinstance(answer, requests.Response):
        todo = "If it lasts, look at the CA's own pages about its state, and at ACME_DIRECTORY"
        return AcmeTrouble(f"the CA answers HTTP {answer.status_code}", todo)
    return _garbage(f"{type(error).__name__}: {error}")


def _deadline() -> datetime:
    return datetime.now() + timedelta(seconds=POLL_S)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()
