"""The synchronization of July 2017, as it was: it takes what it was told to look at for the whole world.

It belongs to the drill. It has its own client and its own signatures, uses nothing of the product and is used
by nothing but the incident; it talks to a sandbox on this machine only, and proves that it does before the
first call.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from sync.sandbox.process import TOKEN_HEADER

USER_AGENT = "naive-sync/2017"
POLL_SECONDS = 60.0
"""Between two looks at a running job."""


class NotASandboxError(Exception):
    """The endpoint is not the sandbox whose token was given; nothing was sent to its API."""


class SyncAborted(Exception):  # noqa: N818 - what happened, not a failure of ours
    """Somebody stopped the synchronization."""


class CallRefused(Exception):  # noqa: N818 - the API's answer, not a failure of ours
    """The API answered with an error."""


@dataclass
class SyncLog:
    """What the synchronization did, in order."""

    bound: list[str] = field(default_factory=list)
    """Domains that belong to a project it was given."""
    deleted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Domain → what its deletion job ended with."""
    unfinished: str = ""
    """The domain in deletion when it was aborted."""
    calls: int = 0


class Client:
    """Signed GET requests to a sandbox, and to nothing else."""

    def __init__(self, *, endpoint: str, key: str, secret: str, token: str) -> None:
        _refuse_other_machines(endpoint)
        self._endpoint = endpoint
        self._key = key
        self._secret = secret
        self._http = httpx.Client(headers={"User-Agent": USER_AGENT}, timeout=30, trust_env=False)
        self.calls = 0
        self._prove_sandbox(token)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, command: str, **parameters: str) -> dict[str, Any]:
        """One API call; the inner object of the answer. Raises CallRefused."""
        signed = {**parameters, "command": command, "apikey": self._key, "response": "json"}
        signed["signature"] = signature(signed, self._secret)
        self.calls += 1
        answer = self._http.get(self._endpoint, params=signed)
        (inner,) = answer.json().values()
        if answer.status_code != httpx.codes.OK:
            raise CallRefused(f"{command}: {answer.status_code} {inner.get('errortext', '')}")
        found: dict[str, Any] = inner
        return found

    def _prove_sandbox(self, token: str) -> None:
        """Only a sandbox has a control path, and only the one that we started knows the token."""
        parts = urlsplit(self._endpoint)
        url = f"{parts.scheme}://{parts.netloc}/sandbox/log"
        refused = (
            f"{parts.netloc} is not the sandbox that this token belongs to. Nothing was sent to its API."
        )
        try:
            answer = self._http.get(url, headers={TOKEN_HEADER: token}, params={"limit": "0"})
        except httpx.HTTPError:
            raise NotASandboxError(refused) from None
        if answer.status_code != httpx.codes.OK or not token:
            raise NotASandboxError(refused)


def signature(parameters: Mapping[str, str], secret: str) -> str:
    """The signature as in CloudStack's manual: sorted, lower-cased, HMAC-SHA1, base64."""
    text = "&".join(
        f"{name}={quote(parameters[name], safe='*')}" for name in sorted(parameters, key=str.lower)
    )
    digest = hmac.new(secret.encode(), text.lower().encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def synchronize(
    client: Client,
    ci_database: Path,
    *,
    parent: str,
    pause: Callable[[float, str], None],
    only: str | None = None,
    spared: Collection[str] = (),
    log: SyncLog | None = None,
) -> SyncLog:
    """Bring CloudStack in line with the CI database, or "limited to one project".

    Deletes, with everything in it, every domain that is bound to none of the projects it was given: which is
    the mistake, since `only` gives it one. Without `only` it takes all projects, as on any other day, and
    finds the domain of each by the id that the CI database stores, or by its name where none is stored:
    which is the mistake after a rebuild. `spared` is its own list of domains that it never looks at.

    `pause` is called with the seconds to wait and the domain in deletion; it raises SyncAborted to stop the
    synchronization, whose last deletion then goes on by itself. `log` is written while it goes on.
    """
    log = SyncLog() if log is None else log
    try:
        domains = _domains_below(client, parent)
        for domain in list(_domains_of(domains, ci_database, only)):
            log.bound.append(_bind(client, domain))
        for domain in sorted(domains.values(), key=lambda one: str(one["created"])):
            if domain["name"] not in (*log.bound, *spared):
                log.unfinished = domain["name"]
                _delete(client, domain, log, pause)
        log.unfinished = ""
    except SyncAborted:
        pass
    log.calls = client.calls
    return log


def _domains_of(
    domains: Mapping[str, dict[str, Any]], ci_database: Path, only: str | None
) -> Iterator[dict[str, Any]]:
    """The domains of what the synchronization believes to be all projects."""
    with closing(sqlite3.connect(f"{ci_database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        query = "SELECT name, domain_id FROM projects WHERE ? IS NULL OR name = ?"
        projects = connection.execute(query, (only, only)).fetchall()
    by_id = {domain["id"]: domain for domain in domains.values()}
    for name, stored in projects:
        domain = domains.get(name) if only is not None or not stored else by_id.get(stored)
        if domain is not None:
            yield domain


def _domains_below(client: Client, parent: str) -> dict[str, dict[str, Any]]:
    found = client.call("listDomains", listall="true").get("domain", [])
    return {one["name"]: one for one in found if one["path"].rpartition("/")[0] == parent}


def _bind(client: Client, domain: Mapping[str, Any]) -> str:
    """Look at the project's users: that is what people wanted to see in the log."""
    client.call("listAccounts", domainid=domain["id"], listall="true")
    client.call("listUsers", domainid=domain["id"], listall="true")
    return str(domain["name"])


def _delete(
    client: Client, domain: Mapping[str, Any], log: SyncLog, pause: Callable[[float, str], None]
) -> None:
    job = client.call("deleteDomain", id=domain["id"], cleanup="true")["jobid"]
    while (state := client.call("queryAsyncJobResult", jobid=job))["jobstatus"] == 0:
        pause(POLL_SECONDS, domain["name"])
    if state["jobstatus"] == 1:
        log.deleted.append(domain["name"])
    else:
        log.failed[domain["name"]] = str(state["jobresult"].get("errortext", ""))


def _refuse_other_machines(endpoint: str) -> None:
    host = urlsplit(endpoint).hostname or ""
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise NotASandboxError(f"{host or endpoint} is not a loopback address. Nothing was sent.")
