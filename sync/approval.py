"""Approvals of a plan: who signed it, which signatures count and why others do not, who is still missing.

A signature is a file beside the plan, `PLAN.<name>.sig`, over `PLAN.objects.txt`. Nobody approves a plan of
their own: the author's login is looked for among the principals of allowed_signers (`jmartin` in
`jmartin@example.org`), and lines that share a login or a key are one person. The login is what the machine of
whoever made the plan said; where that is not enough, ask for two signatures.
"""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from sync.approval_rules import ApprovalRules, Approved
from sync.approval_text import facts_of, objects_text
from sync.errors import GuardError, UsageError
from sync.model import Plan, Reversibility
from sync.ssh_signature import (
    LONGEST_SIGNATURE,
    NAMESPACE,
    DamagedError,
    Signer,
    Verifier,
    read_envelope,
    read_signers,
    sign,
)

_LONGEST_NAME = 120
"""Characters of a principal in a file's name."""


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


@dataclass(frozen=True, slots=True)
class Standing:
    """How the approval of one plan stands at one moment."""

    plan: Plan
    file: Path
    at: datetime
    required: tuple[tuple[Reversibility, int], ...]
    """For each class that occurs in the plan, how many people must approve it."""
    needed: int
    signatures: tuple[Signature, ...]
    people: tuple[str, ...]
    """One name a person whose signature counts."""
    may_sign: tuple[str, ...]
    """People of allowed_signers who have not signed and did not make the plan."""
    problem: str = ""
    """Why no signature can count at all; empty where they can."""

    @property
    def missing(self) -> int:
        return max(0, self.needed - len(self.people))

    @property
    def is_approved(self) -> bool:
        return not self.missing


# --- files --------------------------------------------------------------------------------------------------


def objects_file(plan_file: Path) -> Path:
    """Where the text to be signed is, beside the plan."""
    return plan_file.with_name(f"{plan_file.name}.objects.txt")


def write_objects(plan: Plan, plan_file: Path) -> Path:
    """Write the text to be signed. Raises UsageError when it cannot be."""
    path = objects_file(plan_file)
    write_whole(path, objects_text(plan).encode())
    return path


def command_for(plan_file: Path) -> str:
    """One line with which anybody signs who has ssh-keygen, the text, and a key."""
    text = objects_file(plan_file).name
    signed = shlex.quote(f"{plan_file.name}.") + '"$USER".sig'
    return (
        f"ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n {NAMESPACE} {shlex.quote(text)} "
        f"&& mv {shlex.quote(f'{text}.sig')} {signed}"
    )


def write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing: what is half written would be taken for damaged. Raises UsageError."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".abreast-", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None


def _signature_files(plan_file: Path) -> list[Path]:
    start = f"{plan_file.name}."
    try:
        names = sorted(entry.name for entry in os.scandir(plan_file.parent))
    except OSError:
        return []
    return [plan_file.with_name(name) for name in names if name.startswith(start) and name.endswith(".sig")]


# --- signing ------------------------------------------------------------------------------------------------


def approve(
    plan: Plan, plan_file: Path, key: Path, *, rules: ApprovalRules | None, now: datetime
) -> tuple[Path, Signature]:
    """Sign the plan's objects and put text and signature beside the plan.

    Where the environment names its allowed signers, a signature that would not count is not written: raises
    GuardError. Without, nobody can tell here, and it is named by the key's fingerprint. Raises UsageError
    when ssh-keygen does not sign.
    """
    if now >= plan.expires_at:
        raise GuardError(_expired(plan), next_step="Make it anew with `abreast plan`.")
    content = sign(objects_text(plan).encode(), key)
    if rules is not None and rules.allowed_signers is not None:
        judged = _Court(plan, plan_file, rules, now).judge(content, file="")
        if judged.verdict is not Verdict.VALID:
            raise GuardError(
                f"The signature would not count: {judged.reason}.", next_step="Nothing was written."
            )
    else:
        fingerprint = read_envelope(content).fingerprint
        judged = Signature("", Verdict.UNVERIFIABLE, "no allowed signers are known here", (), fingerprint)
    write_objects(plan, plan_file)
    name = judged.name if len(judged.name) <= _LONGEST_NAME else judged.fingerprint
    path = plan_file.with_name(f"{plan_file.name}.{quote(name, safe='@+')}.sig")
    write_whole(path, content)
    return path, judged


def _expired(plan: Plan) -> str:
    return f"The plan expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC, and its approvals with it."


# --- judging ------------------------------------------------------------------------------------------------


def assess(plan: Plan, plan_file: Path, rules: ApprovalRules, *, now: datetime) -> Standing:
    """Judge every signature beside the plan. Raises GuardError when ssh-keygen cannot be used at all."""
    files = _signature_files(plan_file)
    court = _Court(plan, plan_file, rules, now)
    signatures = tuple(court.judge(_content(file), file=file.name) for file in files)
    valid = [one for one in signatures if one.verdict is Verdict.VALID]
    people = _joined((court.all_names(one.principals), one.fingerprint) for one in valid)
    signed = {login(name) for group in people for name in group}
    return Standing(
        plan=plan,
        file=plan_file,
        at=now,
        required=tuple((grade, rules.required[grade]) for grade in rules.grades(plan)),
        needed=rules.needed_for(plan),
        signatures=signatures,
        people=tuple(group[0] for group in people),
        may_sign=tuple(
            names[0]
            for names in court.groups
            if not court.problem and not signed.intersection(map(login, names)) and not court.is_author(names)
        ),
        problem=court.problem,
    )


def require(standing: Standing) -> Approved:
    """The approval, where complete. Raises GuardError: who signed, who is missing, what to send them."""
    valid = [one for one in standing.signatures if one.verdict is Verdict.VALID]
    if standing.is_approved:
        return Approved(
            standing.plan.digest, standing.people, tuple(one.fingerprint for one in valid), standing.at
        )
    what = (
        f"The plan needs the approval of {standing.needed} in {standing.plan.environment} "
        f"and has {len(standing.people)}{_listed(standing.people)}."
    )
    if standing.problem:
        what += f" {standing.problem}."
    refused = [one for one in standing.signatures if one.verdict is not Verdict.VALID]
    what += "".join(f" {one.file} does not count: {one.reason}." for one in refused)
    raise GuardError(what, next_step=what_to_do(standing))


def what_to_do(standing: Standing) -> str:
    """Who is missing, and what to send them; empty when nobody is."""
    if not standing.missing:
        return ""
    if standing.problem:
        return "Nothing runs before that is mended."
    if len(standing.may_sign) < standing.missing:
        few = ", ".join(standing.may_sign) or "nobody"
        return f"Of allowed_signers only {few} could still sign: too few. Add people, or have others make it."
    text = objects_file(standing.file).name
    return (
        f"Missing: {standing.missing} of {', '.join(standing.may_sign)}. Send them {text} (`abreast approve "
        f"{standing.file.name} --print` writes it) to read and to sign: {command_for(standing.file)}"
    )


def _listed(names: Sequence[str]) -> str:
    return f": {', '.join(names)}" if names else ""


def login(name: str) -> str:
    """Who a principal or an author is: `jmartin` for `jmartin@example.org` and for `JMartin@console-1`."""
    return (name.partition("@")[0] or name).casefold()


def _content(file: Path) -> bytes:
    """The signature file's content; empty, which is damaged, when it cannot be read or is far too long."""
    try:
        if not file.is_file():
            return b""
        with file.open("rb") as stream:
            content = stream.read(LONGEST_SIGNATURE + 1)
    except OSError:
        return b""
    return content if len(content) <= LONGEST_SIGNATURE else b""


def _joined(entries: Iterable[tuple[Sequence[str], object]]) -> tuple[tuple[str, ...], ...]:
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


class _Court:
    """Judges signatures over one plan, by one reading of the allowed signers, as of one moment."""

    def __init__(self, plan: Plan, plan_file: Path, rules: ApprovalRules, now: datetime) -> None:
        self._plan = plan
        self._now = now
        self._text = objects_text(plan).encode()
        self._beside = _content_of_text(objects_file(plan_file))
        self._lines: tuple[Signer, ...] = ()
        self._verifier = Verifier(b"", at=now)
        self.groups: tuple[tuple[str, ...], ...] = ()
        """The people of allowed_signers, each with all names; not those who come with certificates."""
        self.problem = self._open(rules.allowed_signers)

    def _open(self, file: Path | None) -> str:
        """Read the allowed signers; why they cannot be used, or nothing."""
        if file is None:
            return (
                f"The environment {self._plan.environment} names no file of allowed_signers, so nobody can "
                f"approve: name one under [environments.{self._plan.environment}.approvals]"
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
        self.groups = _joined((line.principals, line.key) for line in self._lines if not line.is_authority)
        if not any(self.is_author(names) for names in self.groups):
            return (
                f"The plan's author {self._plan.author} is none of the allowed signers in {file}, so a "
                f"signature of their own could not be told: add the login {login(self._plan.author)} to the "
                "names on their line, also of somebody who is not to sign"
            )
        return ""

    def is_author(self, names: Iterable[str]) -> bool:
        author = login(self._plan.author)
        return any(login(name) == author for name in self.all_names(names))

    def all_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """These names, and then the others of the same person."""
        found = dict.fromkeys(names)
        logins = set(map(login, found))
        for group in self.groups:
            if logins.intersection(map(login, group)):
                found.update(dict.fromkeys(group))
        return tuple(found)

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
            reason = (
                f"{principals[0]} made the plan ({self._plan.author}): nobody approves a plan of their own"
            )
            return refused(Verdict.SELF_SIGNED, reason, principals)
        if self._now >= self._plan.expires_at:
            return refused(Verdict.EXPIRED, _expired(self._plan).rstrip("."), principals)
        return Signature(file, Verdict.VALID, "", principals, print_)

    def _misfit(self, content: bytes) -> tuple[Verdict, str]:
        """Why a signature is not over this plan's text, as far as the text beside the plan tells."""
        beside = self._beside
        if beside is None or beside == self._text or not self._verifier.fits(beside, content):
            return Verdict.FORGED, (
                "it fits neither this plan nor the text beside it: it is forged, or over something else"
            )
        facts = facts_of(beside.decode("utf-8", "replace"))
        if facts.get("environment") != self._plan.environment:
            named = facts.get("environment", "nothing")[:60]
            return Verdict.OTHER_ENVIRONMENT, f"it is for {named}, not for {self._plan.environment}"
        named = facts.get("digest", "unknown")[:16]
        return Verdict.EDITED, (
            f"it is over another version of the plan (digest {named}…): any change voids an approval"
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


def _content_of_text(file: Path) -> bytes | None:
    try:
        return file.read_bytes() if file.is_file() else None
    except OSError:
        return None
