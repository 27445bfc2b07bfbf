"""From what went wrong between us and CloudStack to an error of ours: what happened, to what, what next.

Pure: given a status, a text or an exception of the network, it returns the error and raises nothing. No text
of `cs` or `requests` is passed on: they carry the endpoint with whatever stands in it.
"""

from __future__ import annotations

import errno
import json
import re
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

from sync.characters import escaped
from sync.errors import (
    AbreastError,
    ForbiddenError,
    NotCloudStackError,
    OutcomeUnknownError,
    RefusedError,
    ThrottledError,
    UnauthorizedError,
    UnreachableError,
)
from sync.secret import HIDDEN, without_secrets

CLIPPED_AT = 300
"""Characters of CloudStack's own words that a message carries."""

SKEW_WORTH_NAMING = 60.0
"""Seconds between our clock and the server's from which on a refused signature mentions it."""

LONGEST_RETRY_AFTER = 60.0
"""Seconds that a server's wish to be left alone counts at most."""

_PARAMETER_VALUES = re.compile(r"(?i)(signature|apikey|secretkey|password|userapikey)=[^&\s\"']+")
_RETRY_AFTER = re.compile(r"\[(\d+)\]\s*ms")

_READ_BACK = "Whether it was carried out is not known: read the object before doing anything about it."


@dataclass(frozen=True, slots=True)
class Call:
    """What a fault happened to."""

    command: str
    endpoint: str
    """As shown: without user, password and query."""
    changes: bool
    """True when the call changes something, so that no answer means an unknown outcome."""
    timeout_seconds: float
    secrets: tuple[str, ...] = ()
    source: str = ""
    """Where the key comes from: file and section."""

    def clean(self, text: str) -> str:
        """`text` in one line, clipped, without any of the secrets; see `clean`."""
        return clean(text, self.secrets)


def shown_endpoint(endpoint: str) -> str:
    """The endpoint as it may be shown: without user, password, query and fragment."""
    try:
        parts = urlsplit(endpoint)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(an endpoint that is no URL)"
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    return f"{parts.scheme}://{host}{port}{parts.path}" if parts.scheme else f"{host}{parts.path}"


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` in one line of at most `CLIPPED_AT` characters, without secrets, and with what a terminal would
    obey shown instead. Empty where a secret in it is too short to be taken out."""
    text = _PARAMETER_VALUES.sub(rf"\1={HIDDEN}", text)
    text = escaped(without_secrets(text, tuple(secrets), limit=CLIPPED_AT))
    return text if len(text) <= CLIPPED_AT else f"{text[: CLIPPED_AT - 1]}…"


# --- an answer that is a refusal --------------------------------------------------------------------------


def refusal(
    call: Call, status: int, text: str, *, skew_seconds: float | None = None, retry_after: str | None = None
) -> AbreastError:
    """The error of an answer whose HTTP status is not 200.

    CloudStack's refusals are JSON with `errorcode` and `errortext`; everything else was said by a proxy, a
    web server or a server that is starting. `retry_after` is the header of that name, in seconds.
    """
    code, words = _words_of(text)
    wait = _seconds_of(retry_after)
    if words is None:
        return _foreign(call, status, text, wait)
    if status == 401:
        return _unauthorized(call, skew_seconds)
    if status == 432:
        return ForbiddenError(
            f"The role of this key may not call {call.command} on {call.endpoint} (432).",
            next_step="Allow the call in that role, or name another section of cloudstack.ini.",
        )
    if status == 429:
        return _throttled(call, words, wait)
    if status == 503:
        return _starting(call, wait)
    said = call.clean(words) or "without a word that can be shown"
    return RefusedError(
        f"CloudStack at {call.endpoint} refused {call.command} with {code or status}: {said}",
        next_step="Nothing is known to have changed; read the object back." if call.changes else "",
        code=code or status,
    )


def _words_of(text: str) -> tuple[int, str | None]:
    """CloudStack's error code and text; the text is None when this is no refusal of CloudStack's."""
    try:
        document = json.loads(text)
    except ValueError:
        return 0, None
    if not isinstance(document, dict) or len(document) != 1:
        return 0, None
    error = next(iter(document.values()))
    if not isinstance(error, dict) or "errorcode" not in error:
        return 0, None
    code = error["errorcode"]
    return (code if isinstance(code, int) else 0), str(error.get("errortext", ""))


def _seconds_of(retry_after: str | None) -> float | None:
    """The header `Retry-After` as seconds; None where it is absent, a date or nonsense."""
    text = (retry_after or "").strip()
    return min(float(text), LONGEST_RETRY_AFTER) if text.isascii() and text.isdigit() else None


def _foreign(call: Call, status: int, text: str, wait: float | None) -> AbreastError:
    if status == 503:
        return _starting(call, wait)
    if status == 429:
        return _throttled(call, "", wait)
    if call.changes and status >= 500:
        return OutcomeUnknownError(
            f"{call.command} was sent to {call.endpoint}, and something in between answered HTTP {status}.",
            next_step=_READ_BACK,
        )
    if status in (502, 504):
        return UnreachableError(
            f"A gateway in front of {call.endpoint} answered HTTP {status} to {call.command}.",
            next_step="The management server behind it is down or slow: look there, then read again.",
        )
    if status == 404:
        return NotCloudStackError(
            f"There is no CloudStack API at {call.endpoint} (HTTP 404).",
            next_step="Check the path of `endpoint`: it usually ends in /client/api.",
        )
    return NotCloudStackError(
        f"{call.endpoint} answered {call.command} with HTTP {status} and no word of CloudStack's: "
        f"“{call.clean(text) or 'nothing'}”.",
        next_step="Check `endpoint`, and any proxy on the way.",
    )


def _unauthorized(call: Call, skew_seconds: float | None) -> UnauthorizedError:
    causes = (
        f"It says the same for four things: a wrong key or secret in {call.source or 'the credentials'}, a "
        "signature that is altered or expired (this machine's clock), a user who is disabled or locked, and "
        "an API that this release does not have."
    )
    if skew_seconds is not None and abs(skew_seconds) >= SKEW_WORTH_NAMING:
        side = "behind" if skew_seconds < 0 else "ahead of"
        causes += (
            f" This machine's clock is {_duration(abs(skew_seconds))} {side} the server's: set it first."
        )
    return UnauthorizedError(
        f"CloudStack at {call.endpoint} did not accept {call.command} (401).", next_step=causes
    )


def skew(date_header: str | None, now: datetime) -> float | None:
    """Seconds that our clock is ahead of the server's (negative: behind); None when it gives no time."""
    at = moment(date_header)
    return (now - at).total_seconds() if at is not None else None


def moment(date_header: str | None) -> datetime | None:
    """What a server's Date says; None where it says no moment."""
    if not date_header:
        return None
    try:
        found = parsedate_to_datetime(date_header)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, TypeError, OverflowError):
        return None


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours"


def _throttled(call: Call, words: str, wait: float | None) -> ThrottledError:
    """The wait stands in the text only: `please retry after [121] ms` (recorded on 4.23, throttle.jsonl); a
    proxy before the server may say it in a header."""
    match = _RETRY_AFTER.search(words)
    seconds = int(match.group(1)) / 1000 if match else 1.0 if wait is None else wait
    return ThrottledError(
        f"CloudStack at {call.endpoint} throttles this account: {call.command} was not carried out (429).",
        next_step=f"Again in {seconds:.1f} s; root admins are not throttled.",
        retry_after_seconds=seconds,
    )


def _starting(call: Call, wait: float | None) -> UnreachableError:
    return UnreachableError(
        f"{call.endpoint} is not ready (HTTP 503): the management server is starting or stopping.",
        next_step="Wait a minute and read again.",
        retry_after_seconds=wait or 0.0,
    )


# --- an answer that is none -------------------------------------------------------------------------------


def unreadable(call: Call, text: str) -> AbreastError:
    """The error of an answer with status 200 that is not CloudStack's answer to this call."""
    looks_like_page = text.lstrip()[:1] == "<"
    if call.changes and not looks_like_page:
        return OutcomeUnknownError(
            f"{call.command} was sent to {call.endpoint}, and the answer cannot be read.",
            next_step=_READ_BACK,
        )
    what = "a web page" if looks_like_page else f"“{call.clean(text) or 'nothing'}”"
    return NotCloudStackError(
        f"{call.endpoint} answered {call.command} with {what} instead of CloudStack's JSON.",
        next_step="Check `endpoint` (it usually ends in /client/api), and any login page on the way.",
    )


# --- no answer --------------------------------------------------------------------------------------------


def network(call: Call, error: Exception) -> AbreastError:
    """The error of a call that got no answer.

    A changing call's outcome is unknown unless the connection was never made: then nothing was sent.
    """
    known = _not_sent(call, error)
    if known is not None:
        return known
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return NotCloudStackError(
            f"{call.endpoint} sends {call.command} on to another address, which CloudStack's API never does.",
            next_step="Check `endpoint`: https instead of http, the path, a login page on the way.",
        )
    slow = isinstance(error, requests.exceptions.Timeout)
    if call.changes:
        happened = f"no answer came in {call.timeout_seconds:g} s" if slow else "the connection broke"
        return OutcomeUnknownError(
            f"{call.command} was sent to {call.endpoint}, and {happened}.", next_step=_READ_BACK
        )
    if slow:
        return UnreachableError(
            f"{call.endpoint} did not answer {call.command} in {call.timeout_seconds:g} s.",
            next_step="Look at the management server's load, or raise the timeout in cloudstack.ini.",
        )
    if isinstance(error, requests.exceptions.SSLError):
        return UnreachableError(
            f"TLS with {call.endpoint} failed: {call.clean(_tls_reason(error))}.",
            next_step="Check that the port speaks https.",
        )
    return InterruptedAnswerError(
        f"{call.endpoint} closed the connection before it had answered {call.command}.",
        next_step="The management server, or a proxy before it, has gone: look there, then read again.",
    )


class InterruptedAnswerError(UnreachableError):
    """The connection broke during a read: worth one more try, it may only have been idle for too long."""


def _not_sent(call: Call, error: Exception) -> UnreachableError | None:
    """The error when it is certain that nothing was sent; None when it is not."""
    chain = list(_chain(error))
    host = urlsplit(call.endpoint).hostname or call.endpoint
    if any(isinstance(link, urllib3.exceptions.NameResolutionError) for link in chain):
        return UnreachableError(
            f"The name {host} of the endpoint {call.endpoint} cannot be resolved.",
            next_step="Check `endpoint`, the resolver and the VPN.",
        )
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return UnreachableError(
            f"{call.endpoint} could not be reached within {call.timeout_seconds:g} s.",
            next_step="Check the network between here and there: route, firewall, VPN.",
        )
    if any(isinstance(link, urllib3.exceptions.NewConnectionError) for link in chain):
        if any(isinstance(link, OSError) and link.errno == errno.ECONNREFUSED for link in chain):
            return UnreachableError(
                f"{call.endpoint} refuses connections.",
                next_step="The management server is down, or starting (a minute): look, then read again.",
            )
        return UnreachableError(
            f"There is no way to {call.endpoint} from here.",
            next_step="Check the network between here and there: route, firewall, VPN.",
        )
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return UnreachableError(
            f"The certificate of {call.endpoint} was not accepted: {call.clean(_tls_reason(error))}.",
            next_step="Set `verify` in cloudstack.ini to the file of your certificate authority.",
        )
    address = (
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
    )
    if isinstance(error, address):
        return UnreachableError(
            f"The endpoint {call.endpoint} is no address of CloudStack's API.",
            next_step="Write it like https://cloudstack.example.org/client/api in cloudstack.ini.",
        )
    if type(error) is OSError:
        # What requests raises before it connects; an error of a connection is of some subclass.
        return UnreachableError(
            f"The certificate file that `verify` names for {call.endpoint} cannot be read.",
            next_step="Correct `verify` in cloudstack.ini: a file of certificates, or nothing.",
        )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it wraps, as urllib3 and requests do: in `reason`, in the arguments, as the cause."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        link = pending.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        pending += [getattr(link, "reason", None), link.__cause__, *link.args]


def _tls_reason(error: BaseException) -> str:
    for link in _chain(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return link.verify_message or "verification failed"
        if isinstance(link, ssl.SSLError) and link.reason:
            return str(link.reason).replace("_", " ").lower()
    return "the handshake failed"
