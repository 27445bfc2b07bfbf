"""Letters to the owners of projects, and the first message to everybody: from the report, by a template.

They are written as mail files for people to read and send; abreast sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from string import Template

from sync.characters import escaped
from sync.errors import ConfigurationError
from sync.loss_ledger import Fate, Loss
from sync.model import Member
from sync.private_file import read_text
from sync.report import ProjectReport, Report
from sync.report_back import Back, How

FIELDS = (
    "project",
    "when",
    "lost",
    "back",
    "ids",
    "missing",
    "addresses",
    "recoverable",
    "kept",
    "state",
    "todo",
    "environment",
)
"""What a template may name as `$field`."""

LETTER = """\
Dear owners of $project,

on $when your project on $environment was hit by a deletion that nobody wanted.

What was destroyed, or is being destroyed:
$lost

What is back by now:
$back

What has a new id (old → new):
$ids

What of it is not back, and why:
$missing

Addresses that changed:
$addresses

What can still be recovered, if you tell us in time:
$recoverable

What you have kept:
$kept

How your project stands now: $state.

What to do:
$todo

We are sorry.
"""

FIRST_MESSAGE = """\
Projects on $environment were deleted by mistake on $when. We are on it.

- Projects that were hit, as far as we know: $projects
- Jobs whose agents ran on CloudStack will fail for now. Jenkins itself and its history are not affected.
- Please do not create or delete anything on CloudStack until we say so.
- The next message comes as soon as we know more.
"""

_NOT_IN_QUOTES = str.maketrans("", "", '"\\')
_NOT_IN_ADDRESS = str.maketrans("", "", '<>"(), ;')

_NAMED_BY_OWNERS = frozenset({"template", "ISO", "network", "VM"})
"""What the scripts and the Jenkins of a project may name by its id."""
_NAMED = 30
"""Objects of a kind that a letter names; more are counted."""


def template_from(path: Path | None) -> Template:
    """The letter's template, from a file or our own. Raises ConfigurationError for a field nobody fills."""
    text = LETTER if path is None else read_text(path, what="the template of the letters")[0]
    template = Template(text)
    if not template.is_valid():
        raise ConfigurationError(
            f"{path}: the template of the letters has a `$` that names nothing.",
            next_step="Write it as `$$`.",
        )
    unknown = [name for name in template.get_identifiers() if name not in FIELDS]
    if unknown:
        raise ConfigurationError(
            f"{path}: the template of the letters has a field ${unknown[0]}.",
            next_step=f"There are {', '.join(f'${name}' for name in FIELDS)}.",
        )
    return template


def letters(report: Report, template: Template) -> Iterator[tuple[str, EmailMessage]]:
    """One for each project that was hit and has somebody to tell: the project's name, and the mail."""
    for project in report.projects:
        if not project.is_hit or not project.owners:
            continue
        mail = EmailMessage(policy=SMTPUTF8)
        mail["To"] = ", ".join(_address(owner) for owner in project.owners)
        mail["Subject"] = _one_line(f"{project.name}: what was lost on {report.hit_at:%Y-%m-%d}")
        mail.set_content(_text(report, project, template))
        yield project.name, mail


def first_message(report: Report) -> str:
    """For everybody, in the first ten minutes."""
    hit = [_one_line(one.name) for one in report.projects if one.is_hit]
    return Template(FIRST_MESSAGE).substitute(
        environment=report.environment,
        when=f"{report.hit_at:%Y-%m-%d}",
        projects=f"{len(hit)} ({', '.join(hit)})" if hit else "none",
    )


def _address(owner: Member) -> str:
    """As a mail's header has it, whatever the name: in quotes, without what would end them."""
    name = _one_line(f"{owner.firstname} {owner.lastname}").translate(_NOT_IN_QUOTES)
    return f'"{name}" <{_one_line(owner.email).translate(_NOT_IN_ADDRESS)}>'


def _text(report: Report, project: ProjectReport, template: Template) -> str:
    objects = project.losses.objects if project.losses is not None else ()
    return template.substitute(
        project=_one_line(project.name),
        when=f"{report.hit_at:%Y-%m-%d}",
        environment=report.environment,
        lost=_listed([one for one in objects if one.fate in (Fate.LOST, Fate.DYING)]),
        back=_grouped((one.type, _back_words(one), one.name) for one in project.back),
        ids=_new_ids(project.back),
        missing=_grouped((one.type, one.why, one.name) for one in project.missing),
        addresses=_bullets(one.words for one in project.addresses),
        recoverable=_listed([one for one in objects if one.fate is Fate.RECOVERABLE]),
        kept=_listed([one for one in objects if one.fate in (Fate.SURVIVES, Fate.UNKNOWN)]),
        state=project.state,
        todo="\n".join(f"- {text}" for text in _todo(project)),
    )


def _back_words(one: Back) -> str:
    """How, and of a VM where and in which state: alike ones stand together."""
    if one.type != "VM":
        return one.how.value
    parts = [one.how.value, f"now {one.state}"]
    if one.is_at:
        where = f"at {', '.join(one.is_at)}"
        parts.append(f"{where} (was at {', '.join(one.was_at)})" if one.has_moved else where)
    return ", ".join(parts)


def _todo(project: ProjectReport) -> Iterator[str]:
    """What the owners have to do, by what was taken, what is back and what is not."""
    lost = {one.type for one in project.losses.of(Fate.LOST)} if project.losses is not None else set()
    back = {(one.type, one.how) for one in project.back}
    missing = {one.type for one in project.missing if not one.can_be_made}
    if "user" in lost or ("user", How.MADE) in back:
        yield "New users have new passwords: ask us for yours."
    if any(change.taken_by for change in project.addresses):
        yield (
            "Somebody else's machine answers at an address that was yours (see above): take your agents "
            "there offline in Jenkins, and change every key and password that was used there."
        )
    if any(one.now for one in project.addresses):
        yield "Tell Jenkins, and whoever connects, the new addresses."
    if any(not one.now for one in project.changed):
        yield "Take the agents whose VM is not there any more (see above) out of Jenkins, or offline."
    if ("VM", How.RECOVERED) in back:
        yield "VMs that were recovered are as they were, and stopped: start those that you need."
    if ("VM", How.MADE) in back:
        yield (
            "VMs that were made again have what their template has, and nothing of what was on their disks "
            "since: set them up again, and check their host keys."
        )
    if {one.type for one in project.back if one.new_id != one.old_id} & _NAMED_BY_OWNERS:
        yield "Change what names an old id, such as scripts and clouds in Jenkins: the new ones stand above."
    if any(one.can_be_made for one in project.missing):
        yield "Wait for our next letter before you make anew what we can still make again."
    if "VM" in missing:
        yield "Make the VMs that are not back anew, from your templates where you have any."
    if "template" in missing:
        yield "Make the templates that are not back anew, and download a copy of each."
    if not back and not lost:
        yield "Nothing for now."


def _new_ids(back: Iterable[Back]) -> str:
    """`- template debian-12: OLD → NEW`, of what people and programs name by its id."""
    changed = [
        one
        for one in back
        if one.new_id != one.old_id and (one.type == "domain" or one.type in _NAMED_BY_OWNERS)
    ]
    lines = [
        f"- {one.type} {_one_line(one.name)}: {f'{one.old_id} → ' if one.old_id else ''}{one.new_id}"
        for one in changed[:_NAMED]
    ]
    if len(changed) > _NAMED:
        lines.append(f"- and {len(changed) - _NAMED} more: ask us for the list")
    return "\n".join(lines) or "- nothing"


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {_one_line(text)}" for text in texts) or "- none"


def _grouped(given: Iterable[tuple[str, str, str]]) -> str:
    """`- VM, 2: a, b (made again)`: what is of one type and has one thing said of it stands together."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for type_name, said, name in given:
        grouped.setdefault((type_name, said), []).append(_one_line(name))
    lines = [
        f"- {type_name}, {len(names)}: {_named(names)} ({_one_line(said)})"
        for (type_name, said), names in grouped.items()
    ]
    return "\n".join(lines) or "- nothing"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _listed(losses: list[Loss]) -> str:
    """`- 3 VMs: a, b, c`, by type; what is unsure says so."""
    by_type: dict[tuple[str, str], list[Loss]] = {}
    for one in losses:
        by_type.setdefault((one.type, _fate_words(one)), []).append(one)
    lines = []
    for (type_name, fate), some in by_type.items():
        said = f" ({fate})" if fate else ""
        lines.append(f"- {type_name}{said}, {len(some)}: {_named([_with_time(one) for one in some])}")
    return "\n".join(lines) or "- nothing"


def _fate_words(one: Loss) -> str:
    """What its heading in the letter does not say already."""
    if one.is_left_over:
        return "left over, nothing destroys it now"
    return one.fate.value if one.fate in (Fate.DYING, Fate.UNKNOWN) else ""


def _with_time(one: Loss) -> str:
    until = f" (until {one.until:%Y-%m-%d %H:%M} UTC)" if one.until is not None else ""
    return f"{_one_line(one.name)}{until}"


def _one_line(text: str) -> str:
    return escaped(" ".join(text.split()))
