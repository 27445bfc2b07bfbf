"""Judging SSH signatures over one text: which count, and why others do not.

Nobody approves what they made: the author's login is looked for among the principals of allowed_signers
(`jmartin` in `jmartin@example.org`), and lines that share a login or a key are one person.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from sync.approval_rules import login
from sync.approval_text import facts_of
from sync.ssh_signature import NAMESPACE, DamagedError, Signer, Verifier, read_envelope, read_signers


@dataclass(frozen=True, slots=True)
class Matter:
    """What is to be approved: a text, who made it where, and until when its approvals count."""

    text: bytes
    environment: str
    author: str | None
    """None where whoever made it may sign it too: a statement, and no approval."""
    expires_at: datetime
    what: str = "plan"
    """What it is called in the reasons."""
    earlier: tuple[bytes, ...] = ()
    """Other texts that signatures may be over instead, which tells why they do not fit."""

    @property
    def expired(self) -> str:
        return f"The {self.what} expired at {self.expires_at:%Y-%m-%d %H:%M} UTC, and its approvals with it."


class Verdict(Enum):
    """What a signature is worth; all but VALID count for nothing. The value is the word on screen."""

    VALID = "valid"
    DAMAGED = "damaged"
    OTHER_PURPOSE = "for another purpose"
    FORGED = "forged"
    EDITED = "for an edited plan"
    OTHER_ENVIRONMENT = "for another environment"
    NOT_ALLOWED = "key not allowed"
    KEY_EXPIRED = "key not valid now"
    SELF_SIGNED = "self-signed"
    EXPIRED = "expired"
    UNVERIFIABLE = "not verifiable"


@dataclass(frozen=True, slots=True)
class Signature:
    """One file with a signature, judged."""

    file: str
    """Its name, without the folder."""
    verdict: Verdict
    reason: str = ""
    """In words, why it does not count; empty when it does."""
    principals: tuple[str, ...] = ()
    """The names that allowed_signers gives to its key, one person's."""
    fingerprint: str = ""
    """Of the key; empty where the file could not be read so far."""

    @property
    def name(self) -> str:
        return self.principals[0] if self.principals else self.fingerprint or "nobody known"


def joined(entries: Iterable[tuple[Sequence[str], object]]) -> tuple[tuple[str, ...], ...]:
    """Names that belong to one person, because they share a login or a key, in the order given."""
    groups: list[tuple[list[str], set[object]]] = []
    for names, key in entries:
        if not names:
            continue
        marks: set[object] = {("login", login(name)) for name in names} | {("key", key)}
        mine = list(names)
        for other in [group for group in groups if group[1] & marks]:
            mine = other[0] + mine
            marks |= other[1]
            groups.remove(other)
        groups.append((mine, marks))
    return tuple(tuple(dict.fromkeys(names)) for names, _ in groups)


class Court:
    """Judges signatures over one text, by one reading of the allowed signers, as of one moment."""

    def __init__(self, matter: Matter, allowed_signers: Path | None, now: datetime) -> None:
        self._matter = matter
        self._now = now
        self._text = matter.text
        self._lines: tuple[Signer, ...] = ()
        self._verifier = Verifier(b"", at=now)
        self.groups: tuple[tuple[str, ...], ...] = ()
        """The people of allowed_signers, each with all names; not those who come with certificates."""
        self.problem = self._open(allowed_signers)

    def _open(self, file: Path | None) -> str:
        """Read the allowed signers; why they cannot be used, or nothing."""
        if file is None:
            return (
                f"The environment {self._matter.environment} names no file of allowed_signers, so nobody can "
                f"approve: name one under [environments.{self._matter.environment}.approvals]"
            )
        try:
            with file.open("rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                content = stream.read()
            self._lines = read_signers(content.decode("utf-8"))
        except OSError as error:
            return f"The allowed signers {file} cannot be read: {error.strerror}"
        except ValueError as error:
            why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            return f"The allowed signers {file} cannot be used: {why}"
        if os.name == "posix" and mode & stat.S_IWOTH:
            return f"The allowed signers {file} can be changed by anybody: chmod o-w {shlex.quote(str(file))}"
        if not self._lines:
            return f"The allowed signers {file} names nobody"
        self._verifier = Verifier(content, at=self._now)
        self.groups = joined((line.principals, line.key) for line in self._lines if not line.is_authority)
        author = self._matter.author
        if author is not None and not any(self.is_author(names) for names in self.groups):
            return (
                f"The {self._matter.what}'s author {author} is none of the allowed signers in {file}, so a "
                f"signature of their own could not be told: add the login {login(author)} to the "
                "names on their line, also of somebody who is not to sign"
            )
        return ""

    def is_author(self, names: Iterable[str]) -> bool:
        if self._matter.author is None:
            return False
        author = login(self._matter.author)
        return any(login(name) == author for name in self.all_names(names))

    def all_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """These names, and then the others of the same person."""
        found = dict.fromkeys(names)
        logins = set(map(login, found))
        for group in self.groups:
            if logins.intersection(map(login, group)):
                found.update(dict.fromkeys(group))
        return tuple(found)

    def people(self, signatures: Iterable[Signature]) -> tuple[str, ...]:
        """One name a person whose signature counts, however many keys that person signed with."""
        valid = [one for one in signatures if one.verdict is Verdict.VALID]
        groups = joined((self.all_names(one.principals), one.fingerprint) for one in valid)
        return tuple(group[0] for group in groups)

    def may_sign(self, people: Iterable[str]) -> tuple[str, ...]:
        """Who of allowed_signers could still sign, when these have."""
        signed = {login(name) for one in people for name in self.all_names([one])}
        return tuple(
            names[0]
            for names in self.groups
            if not self.problem and not signed.intersection(map(login, names)) and not self.is_author(names)
        )

    def judge(self, content: bytes, *, file: str) -> Signature:
        """One signature: each ground for refusing it has a verdict and words of its own."""
        try:
            envelope = read_envelope(content)
        except DamagedError as damage:
            return Signature(file, Verdict.DAMAGED, f"it is cut off or damaged: {damage}")
        print_ = envelope.fingerprint

        def refused(verdict: Verdict, reason: str, principals: tuple[str, ...] = ()) -> Signature:
            return Signature(file, verdict, reason, principals, print_)

        if envelope.namespace != NAMESPACE:
            return refused(
                Verdict.OTHER_PURPOSE, f"it was made for “{envelope.namespace[:40]}”, not for {NAMESPACE}"
            )
        if not self._verifier.fits(self._text, content):
            return refused(*self._misfit(content))
        if self.problem:
            return refused(Verdict.UNVERIFIABLE, "it cannot be verified who made it")
        principals = self._verifier.principals(content)
        if not principals:
            return refused(*self._not_allowed(envelope.key, print_))
        if not any(self._verifier.verify(self._text, content, name) for name in principals):
            reason = f"allowed_signers does not let the key of {principals[0]} sign for {NAMESPACE}"
            return refused(Verdict.NOT_ALLOWED, reason, principals)
        if self.is_author(principals):
            what, author = self._matter.what, self._matter.author
            reason = f"{principals[0]} made the {what} ({author}): nobody approves a {what} of their own"
            return refused(Verdict.SELF_SIGNED, reason, principals)
        if self._now >= self._matter.expires_at:
            return refused(Verdict.EXPIRED, self._matter.expired.rstrip("."), principals)
        return Signature(file, Verdict.VALID, "", principals, print_)

    def _misfit(self, content: bytes) -> tuple[Verdict, str]:
        """Why a signature is not over this plan's text, as far as the text beside the plan tells."""
        others = (text for text in self._matter.earlier if text != self._text)
        beside = next((text for text in others if self._verifier.fits(text, content)), None)
        if beside is None:
            return Verdict.FORGED, (
                f"it fits neither this {self._matter.what} nor the text beside it: "
                "it is forged, or over something else"
            )
        facts = facts_of(beside.decode("utf-8", "replace"))
        if facts.get("environment") != self._matter.environment:
            named = facts.get("environment", "nothing")[:60]
            return Verdict.OTHER_ENVIRONMENT, f"it is for {named}, not for {self._matter.environment}"
        named = facts.get("digest", "unknown")[:16]
        return Verdict.EDITED, (
            f"it is over another version of the {self._matter.what} (digest {named}…): "
            "any change voids an approval"
        )

    def _not_allowed(self, key: bytes, fingerprint: str) -> tuple[Verdict, str]:
        lines = [line for line in self._lines if line.key == key]
        if any(line.principals for line in lines):
            name = next(line.principals[0] for line in lines if line.principals)
            return Verdict.KEY_EXPIRED, f"allowed_signers does not let {name} sign at this time"
        if lines:
            return Verdict.NOT_ALLOWED, (
                f"allowed_signers has its key {fingerprint} for a pattern of names, which is no person"
            )
        return Verdict.NOT_ALLOWED, f"its key {fingerprint} is not among the allowed signers"
