"""Reads the nodes of every project's Jenkins: concurrent, each with a time limit of its own.

One Jenkins that does not answer costs nobody else anything, and its agents are not read, never offline. The
token goes into a header only, and a redirect (a sign-on page) is not followed with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import httpx

from sync.agents import JenkinsReading, Node
from sync.errors import ConfigurationError
from sync.jenkins_settings import JenkinsSettings, Login
from sync.model import Project
from sync.reading_pool import ReadingPool

TREE = "computer[_class,displayName,offline,temporarilyOffline,offlineCauseReason]"
"""The fields that are asked for, as Jenkins' remote access API selects them."""
LARGEST = 8 * 1024 * 1024
"""Bytes of an answer that are read at most."""
_BUILT_IN = "MasterComputer"
"""End of the `_class` of a controller's own node."""
_LONGEST_REASON = 200


class Jenkins:
    """The Jenkins of all projects. Close it, or use it as a context manager."""

    def __init__(
        self, settings: JenkinsSettings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._clock = clock
        limits = httpx.Limits(
            max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
        )
        self._client = httpx.Client(timeout=settings.timeout_seconds, follow_redirects=False, limits=limits)

    def read(
        self, projects: Iterable[Project], *, progress: Callable[[int], None] = lambda _: None
    ) -> Mapping[str, JenkinsReading]:
        """What the Jenkins of each project with agents says, by the project's key.

        `progress` is told how many have answered. Nothing is raised: what fails is that project's problem.
        """
        asked = [project for project in projects if project.agents]
        try:
            logins = self._settings.logins()
        except ConfigurationError as error:
            return MappingProxyType({one.key: self._failed(one, str(error)) for one in asked})
        readings: dict[str, JenkinsReading] = {}
        with ReadingPool(self._settings.concurrency, name="jenkins") as pool:
            for reading in pool.map(lambda one: self._read_one(one, logins), asked):
                readings[reading.project] = reading
                progress(len(readings))
        return MappingProxyType(readings)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Jenkins:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- one project --------------------------------------------------------------------------------------

    def _read_one(self, project: Project, logins: Mapping[str, Login]) -> JenkinsReading:
        login = logins.get(project.key) or logins.get("")
        url = self._settings.url_for(project.name.strip())
        try:
            status, location, body = self._get(url, login)
        except httpx.TimeoutException:
            limit = f"{self._settings.timeout_seconds:g} s"
            return self._failed(project, f"{url} did not answer within {limit}.")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._failed(project, f"{url} cannot be reached: {_cause(error)}.")
        problem = _refusal(url, status, location, login)
        if problem:
            return self._failed(project, problem)
        nodes = _nodes(body)
        if nodes is None:
            return self._failed(project, f"{url} answered something that is not Jenkins' list of nodes.")
        return JenkinsReading(project.key, self._clock(), nodes)

    def _get(self, url: str, login: Login | None) -> tuple[int, str, bytes]:
        """Status, redirect and body. Raises httpx.HTTPError; a time-out for a body that only drips."""
        auth = httpx.BasicAuth(login.user, login.token.reveal()) if login is not None else None
        deadline = time.monotonic() + self._settings.timeout_seconds
        with self._client.stream(
            "GET", f"{url}/computer/api/json", params={"tree": TREE}, auth=auth
        ) as answer:
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if time.monotonic() > deadline or len(body) > LARGEST:
                    raise httpx.ReadTimeout("The answer does not end.")
            return answer.status_code, answer.headers.get("location", ""), body

    def _failed(self, project: Project, problem: str) -> JenkinsReading:
        return JenkinsReading(project.key, self._clock(), problem=problem)


def _refusal(url: str, status: int, location: str, login: Login | None) -> str:
    """Why an answer with that status tells nothing; empty when it does."""
    if status == httpx.codes.OK:
        return ""
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        mend = "Check the token." if login is not None else "Configure a user and a token for it."
        return f"{url} refuses to say (HTTP {status}). {mend}"
    if location:
        host = httpx.URL(location).host or "itself"
        return f"{url} sends on to {host} (HTTP {status}), a sign-on perhaps: configure a user and a token."
    if status == httpx.codes.NOT_FOUND:
        return f"{url} has no Jenkins (HTTP 404). Check `url`."
    return f"{url} answered HTTP {status}."


def _nodes(body: bytes) -> Mapping[str, Node] | None:
    """The nodes of an answer but the controller's own; None where it is no such list."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        return None
    computers = found.get("computer") if isinstance(found, dict) else None
    if not isinstance(computers, list):
        return None
    nodes: dict[str, Node] = {}
    for one in computers:
        if not isinstance(one, dict):
            return None
        name, is_offline = one.get("displayName"), one.get("offline")
        if not isinstance(name, str) or not isinstance(is_offline, bool):
            return None
        if str(one.get("_class", "")).endswith(_BUILT_IN):
            continue
        reason = one.get("offlineCauseReason")
        nodes[name.casefold()] = Node(
            name,
            is_online=not is_offline,
            is_paused=one.get("temporarilyOffline") is True,
            reason=_first_line(reason) if isinstance(reason, str) else "",
        )
    return MappingProxyType(nodes)


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


def _cause(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
