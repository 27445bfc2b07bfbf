"""One credential's connection to CloudStack: signed POST calls through `cs`, one session a thread.

The only module that imports `cs`. It asks `cs` for the raw text (`json=False`) and reads it itself: the
wrapper must be the one of this very call. Otherwise `{"anything": {}}`, said by something else,
would be an empty list, and an empty list is what an incident looks like.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

import cs
import requests
import urllib3

from sync.cloudstack import faults
from sync.cloudstack.values import Clock, Credentials
from sync.errors import AbreastError, DataError, ForbiddenError, ThrottledError
from sync.model import JsonObject

LONGEST_THROTTLED = 15.0
"""Seconds that one reading call waits at most, over all its refusals with 429."""

INTERRUPTED_TRIES = 2
"""Tries of a reading call whose connection broke."""

_SENSITIVE = ("password", "secret", "signature", "apikey")


def version() -> str:
    """The version of abreast, for the User-Agent; `unknown` in a tree that was never installed."""
    try:
        return metadata.version("abreast")
    except metadata.PackageNotFoundError:
        return "unknown"


class _Session(requests.Session):
    """CloudStack speaks UTF-8, also where `text/javascript` does not say so and requests assumes Latin-1.

    A response hook would not do: `cs` prepares its requests without the session.
    """

    date: str | None = None
    """The Date of the last answer; None where it had none, or there was no answer."""

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        self.date = None
        response = super().send(request, **settings)
        self.date = response.headers.get("Date")
        response.encoding = "utf-8"
        return response


class Connection:
    """Calls CloudStack with one credential; usable from any number of threads."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        clock: Clock,
        keep_alive: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Without `keep_alive` each call has a connection of its own.

        Changing calls want that: a connection that was idle for too long and breaks when used looks exactly
        like one that breaks while the server works.
        """
        self._credentials = credentials
        self._clock = clock
        self._sleep = sleep
        self._keep_alive = keep_alive
        self._local = threading.local()
        self._counter_lock = threading.Lock()
        self._calls = 0
        self._throttled = 0
        self._ahead: timedelta | None = None
        self.endpoint = faults.shown_endpoint(credentials.endpoint)
        self._timeout = max(1, round(credentials.timeout_seconds))
        if credentials.verify is False:
            # Otherwise urllib3 writes a warning across the screen at every call.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def __repr__(self) -> str:
        return f"<Connection to {self.endpoint}>"

    @property
    def key(self) -> str:
        """The API key: names the caller in `getUser`, and is kept out of every message."""
        return self._credentials.key.reveal()

    @property
    def calls(self) -> int:
        """API calls made so far, by all threads."""
        return self._calls

    @property
    def throttled(self) -> int:
        """Calls so far that were refused with 429, by all threads: those that were then repeated as well."""
        return self._throttled

    def clean(self, text: str) -> str:
        """CloudStack's words as they may be shown: one line, clipped, without this credential's secrets."""
        return faults.clean(text, self._secrets_of({}))

    @property
    def ahead(self) -> timedelta | None:
        """How far this machine's clock was ahead of the server's at the last answer, of any thread's; None
        where it named no time."""
        return self._ahead

    def server_time(self) -> datetime | None:
        """What the server's clock says now; None where its answer names no time. Raises SourceError."""
        with contextlib.suppress(ForbiddenError):
            self.read("listCapabilities")
        return faults.moment(self._local.session.date)

    def read(self, command: str, parameters: Mapping[str, str] | None = None) -> JsonObject:
        """The answer to a call that changes nothing, inside its wrapper.

        A broken connection is tried once more, 429 waits as long as CloudStack says, within bounds. Raises
        SourceError.
        """
        waited = 0.0
        interrupted = 0
        while True:
            answer = self._attempt(command, parameters or {}, changes=False)
            if isinstance(answer, ThrottledError):
                with self._counter_lock:
                    self._throttled += 1
                wait = answer.retry_after_seconds
                if waited + wait <= LONGEST_THROTTLED:
                    waited += max(wait, 0.05)
                    self._sleep(max(wait, 0.05))
                    continue
            if isinstance(answer, faults.InterruptedAnswerError):
                interrupted += 1
                if interrupted < INTERRUPTED_TRIES:
                    continue
            if isinstance(answer, AbreastError):
                raise answer
            return answer

    def change(self, command: str, parameters: Mapping[str, str]) -> JsonObject:
        """The answer to a call that changes something, inside its wrapper. Sent once, whatever happens.

        Raises OutcomeUnknownError when it was sent and no answer came, SourceError when it was not done.
        """
        answer = self._attempt(command, parameters, changes=True)
        if isinstance(answer, AbreastError):
            raise answer
        return answer

    def _attempt(
        self, command: str, parameters: Mapping[str, str], *, changes: bool
    ) -> JsonObject | AbreastError:
        """One call. Errors are returned, not raised, so that none has an exception of `cs` or `requests` as
        its context: those hold the request with its key, signature and passwords."""
        call = faults.Call(
            command,
            self.endpoint,
            changes,
            self._timeout,
            secrets=self._secrets_of(parameters),
            source=self._credentials.source,
        )
        with self._counter_lock:
            self._calls += 1
        try:
            text = getattr(self._client(), command)(json=False, response="json", **parameters)
        except cs.CloudStackApiException as error:
            response = error.response
            return faults.refusal(
                call,
                response.status_code,
                response.text,
                skew_seconds=faults.skew(response.headers.get("Date"), self._clock()),
                retry_after=response.headers.get("Retry-After"),
            )
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return faults.network(call, error)
        except UnicodeError:
            return DataError(f"{command} was not sent: one of its values is no valid text.")
        at = faults.moment(self._local.session.date)
        self._ahead = self._clock() - at if at is not None else None
        body = _unwrapped(command, text)
        return faults.unreadable(call, text) if body is None else body

    def _secrets_of(self, parameters: Mapping[str, str]) -> tuple[str, ...]:
        values = (
            value for name, value in parameters.items() if any(part in name.lower() for part in _SENSITIVE)
        )
        return (self._credentials.secret.reveal(), self.key, *values)

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            session = self._local.session = _Session()
            client = self._local.client = self._new_client(session)
        return client

    def _new_client(self, session: requests.Session) -> Any:
        # CloudStack never redirects, and a redirected POST would carry a password to wherever it is told.
        session.max_redirects = 0
        if _is_loopback(self._credentials.endpoint):
            session.trust_env = False
        headers = {"User-Agent": f"abreast/{version()}", "Accept-Encoding": "gzip, deflate"}
        if not self._keep_alive:
            headers["Connection"] = "close"
        verify = self._credentials.verify
        return cs.CloudStack(
            endpoint=self._credentials.endpoint,
            key=self.key,
            secret=self._credentials.secret.reveal(),
            timeout=self._timeout,
            method="post",
            verify=verify or None,
            dangerous_no_tls_verify=verify is False,
            name="abreast",
            headers=headers,
            session=session,
            fetch_result=False,
            trace=False,
        )


def _is_loopback(endpoint: str) -> bool:
    try:
        host = urlsplit(endpoint).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unwrapped(command: str, text: str) -> JsonObject | None:
    """What is inside `{"<command>response": {…}}`; None when the text is anything else."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or len(document) != 1:
        return None
    body = document.get(f"{command.lower()}response")
    return body if isinstance(body, dict) else None
