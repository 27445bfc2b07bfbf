"""How the approval of a plan stands, laid out: who signed, what does not count and why, who is missing."""

from __future__ import annotations

from typing import Protocol

from sync.approval import Standing, command_for, objects_file
from sync.approval_court import Signature, Verdict
from widgets.cells import clean, fit
from widgets.lines import Line, wrap
from widgets.virtual_list import Piece


class Submitted(Protocol):
    """A plan that was written for approval (`console.approvals.Submitted`)."""

    @property
    def standing(self) -> Standing: ...
    @property
    def fault(self) -> str: ...


def approval_words(needed: int, submitted: Submitted | None, *, key: str) -> Piece:
    """In one line: how many of how many, who, and the key that shows the rest."""
    if submitted is None:
        return (
            f"approval: 0 of {needed}, not written for signing yet; {key} shows what to do",
            "tone--warning",
        )
    found = submitted.standing
    refused = sum(one.verdict is not Verdict.VALID for one in found.signatures)
    words = f"approval: {len(found.people)} of {found.needed}"
    words += f" ({', '.join(found.people)})" if found.people else ""
    words += f", {refused} refused" if refused else ""
    if found.is_approved:
        return (f"{words}: approved; {key} shows them", "tone--good")
    return (f"{words}; {key} shows who is missing", "tone--warning")


def standing_lines(standing: Standing, width: int) -> list[Line]:
    """Every signature with its verdict, then who is missing and what to send them."""
    grades = ", ".join(f"{count} for what is {grade.value}" for grade, count in standing.required)
    state = "approved" if standing.is_approved else f"{standing.missing} missing"
    head = f"{len(standing.people)} of {standing.needed} ({grades or 'no actions'}): {state}"
    lines: list[Line] = [[(f" {head}", "tone--good" if standing.is_approved else "tone--warning")]]
    if standing.people:
        signed = f"signed by {', '.join(standing.people)}"
        lines += [[(f"   {line}", "")] for line in wrap(signed, width - 4)]
    if standing.missing and standing.may_sign:
        who = f"missing: {standing.missing} of {', '.join(standing.may_sign)}"
        lines += [[(f"   {line}", "")] for line in wrap(who, width - 4)]
    if standing.problem:
        lines += [[(f"   {line}", "tone--bad")] for line in wrap(f"{standing.problem}.", width - 4)]
    if standing.signatures:
        lines += [[], [(" Signatures", "tone--strong")]]
    for one in standing.signatures:
        lines += _signature_lines(one, width)
    if standing.missing and not standing.problem:
        lines += [[], *sending_lines(standing, width)]
    return lines


def _signature_lines(one: Signature, width: int) -> list[Line]:
    is_valid = one.verdict is Verdict.VALID
    who = ", ".join(one.principals) or one.fingerprint or "nobody known"
    mark: Piece = ("✓", "tone--good") if is_valid else ("✗", "tone--bad")
    lines: list[Line] = [
        [
            ("   ", ""),
            mark,
            (f" {clean(one.verdict.value)}  ", mark[1]),
            (fit(who, max(8, width - 8 - len(one.verdict.value))), "tone--strong"),
        ],
        [(f"     {fit(one.file, max(8, width - 6))}", "tone--muted")],
    ]
    return lines + [[(f"     {line}", "tone--bad")] for line in wrap(one.reason, width - 6) if one.reason]


def sending_lines(standing: Standing, width: int) -> list[Line]:
    """What to send to those who are missing, and the one line with which they sign."""
    text = objects_file(standing.file)
    return [
        [(" Send those who are missing this text, to read and to sign", "tone--strong")],
        *[[(f"   {line}", "")] for line in wrap(str(text), width - 4, at_hyphens=False)],
        [(" They sign it in its folder, with nothing but ssh-keygen and their own key", "tone--strong")],
        *[
            [(f"   {line}", "tone--key")]
            for line in wrap(command_for(standing.file), width - 4, at_hyphens=False)
        ],
        [(" What comes back ends in .sig: take it in, or put it beside the plan", "tone--strong")],
        *[[(f"   {line}", "")] for line in wrap(str(standing.file), width - 4, at_hyphens=False)],
    ]
