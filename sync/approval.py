"""Approvals of a plan: who signed it, which signatures count and why others do not, who is still missing.

A signature is a file beside the plan, `PLAN.<name>.sig`, over `PLAN.objects.txt`. How one is judged
is `approval_court`. The author's login is what the machine of whoever made the plan said; where that is not
enough, ask for two signatures.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sync import atomic_file
from sync.approval_court import Court, Matter, Signature, Verdict
from sync.approval_rules import ApprovalRules, Approved
from sync.approval_text import objects_text
from sync.errors import GuardError
from sync.model import Plan, Reversibility
from sync.ssh_signature import (
    LONGEST_SIGNATURE,
    NAMESPACE,
    read_envelope,
    sign,
)

_LONGEST_NAME = 120
"""Characters of a principal in a file's name."""


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
    atomic_file.share(path, objects_text(plan).encode())
    return path


def command_for(plan_file: Path) -> str:
    """One line with which anybody signs who has ssh-keygen, the text, and a key."""
    text = objects_file(plan_file).name
    signed = shlex.quote(f"{plan_file.name}.") + '"$USER".sig'
    return (
        f"ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n {NAMESPACE} {shlex.quote(text)} "
        f"&& mv {shlex.quote(f'{text}.sig')} {signed}"
    )


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
        raise GuardError(_matter(plan).expired, next_step="Make it anew with `abreast plan`.")
    content = sign(objects_text(plan).encode(), key)
    if rules is not None and rules.allowed_signers is not None:
        judged = _court(plan, plan_file, rules, now).judge(content, file="")
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
    atomic_file.share(path, content)
    return path, judged


def _matter(plan: Plan, beside: bytes | None = None) -> Matter:
    text = objects_text(plan).encode()
    return Matter(
        text, plan.environment, plan.author, plan.expires_at, earlier=() if beside is None else (beside,)
    )


def _court(plan: Plan, plan_file: Path, rules: ApprovalRules, now: datetime) -> Court:
    beside = _content_of_text(objects_file(plan_file))
    return Court(_matter(plan, beside), rules.allowed_signers, now)


# --- judging ------------------------------------------------------------------------------------------------


def assess(plan: Plan, plan_file: Path, rules: ApprovalRules, *, now: datetime) -> Standing:
    """Judge every signature beside the plan. Raises GuardError when ssh-keygen cannot be used at all."""
    files = _signature_files(plan_file)
    court = _court(plan, plan_file, rules, now)
    signatures = tuple(court.judge(_content(file), file=file.name) for file in files)
    people = court.people(signatures)
    return Standing(
        plan=plan,
        file=plan_file,
        at=now,
        required=tuple((grade, rules.required[grade]) for grade in rules.grades(plan)),
        needed=rules.needed_for(plan),
        signatures=signatures,
        people=people,
        may_sign=court.may_sign(people),
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


def refuse_unsigned(plan: Plan, rules: ApprovalRules, *, now: datetime) -> None:
    """Raises GuardError, before anybody is asked, for a plan that nobody can have signed yet and that needs
    approvals: how many, who could give them, and what leads to them."""
    needed = rules.needed_for(plan)
    if not needed:
        return
    court = Court(_matter(plan), rules.allowed_signers, now)
    who = ", ".join(court.may_sign(())) or "nobody"
    missing = f"{court.problem}." if court.problem else f"Missing: {needed} of {who}."
    raise GuardError(
        f"The plan needs the approval of {needed} in {plan.environment} and has 0. {missing}",
        next_step="In the console: space in the overview stages, s reviews, p there has it signed. "
        "On the command line: `abreast plan -o FILE`, `abreast approve FILE`, then `abreast apply FILE`.",
    )


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


def _content_of_text(file: Path) -> bytes | None:
    try:
        return file.read_bytes() if file.is_file() else None
    except OSError:
        return None
