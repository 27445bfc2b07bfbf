"""`abreast report`: the incident report, the letters and the first message."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from console.cli.output import plain, result, result_json, say
from console.cli.reading import read_both
from console.cli.record import moment
from console.cli.sessions import session_of
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_UNKNOWN, AbreastError, UsageError

if TYPE_CHECKING:
    from console.losses import Losses
    from sync.deletions import Situation
    from sync.model import ActualInventory, DesiredInventory
    from sync.report import Report
    from sync.restoration import Restoration
    from sync.stock import PublicAddress

DEFAULT_SINCE = "24h"


def report(arguments: argparse.Namespace) -> int:
    """Markdown to stdout, or everything into a folder. Exit code 3 where a side could not be read now."""
    from sync.letters import template_from
    from sync.report_text import markdown

    template = template_from(arguments.template)
    with session_of(arguments) as session:
        made = make(session, since=moment(arguments.since or DEFAULT_SINCE, session.clock()))
        if arguments.output is not None:
            for path in write(made, arguments.output, template):
                result(str(path))
        elif arguments.format == "json":
            result_json(plain(made))
        else:
            result(markdown(made).rstrip())
        is_read = not any("was not read completely" in text for text in made.unsure)
        return EXIT_DONE if is_read else EXIT_UNKNOWN


def make(session: Session, *, since: datetime) -> Report:
    """The report of what happened since then, up to now. Raises LedgerError."""
    from sync.report import build
    from sync.report_back import returned

    say("Reading both sides …")
    desired, actual = read_both(session)
    drift = session.compare(desired, actual)
    entries = session.ledger.entries(since=since)
    told = losses(session, desired, actual, since=since)
    before, unread = None if told.before is None else told.before.actual, list(told.unread)
    planned, addresses = _planned(session, before, actual, unread)
    return build(
        entries,
        environment=session.environment.name,
        since=since,
        made_at=session.clock(),
        made_by=session.operator,
        began=told.basis.began,
        losses=told.ledger,
        drift=drift,
        headline=session.headline(drift).text,
        back=returned(entries, told.ledger, before=before, now=actual, planned=planned, elsewhere=addresses),
        unread=unread,
    )


def _planned(
    session: Session, before: ActualInventory | None, actual: ActualInventory, unread: list[str]
) -> tuple[Restoration | None, Sequence[PublicAddress]]:
    """What a restore of the capture would do now, and of the rest why not, None where nobody can tell; and
    the public addresses of the whole cloud."""
    from sync.archive_folder import read
    from sync.archives import Archives
    from sync.restore import plan_restoration
    from sync.restore_scene import Means

    if before is None or not actual.coverage.is_complete:
        return None, ()
    folder = session.environment.archive
    try:
        archives = Archives() if folder is None else read(folder)
        means = Means(session.reader.stock(), archives, is_served=True)
    except AbreastError as error:
        unread.append(f"Why something cannot be restored is known in part only: {error}")
        return None, ()
    return plan_restoration(before, actual, means), means.stock.public_addresses


def situation(session: Session) -> Situation:
    """What CloudStack shows of deletions now, in the last days too."""
    from sync.deletions import assess

    return assess(session.reader.deletions(session.scope()))


def losses(
    session: Session, desired: DesiredInventory, actual: ActualInventory, *, since: datetime
) -> Losses:
    """As Assess tells them: against the newest complete capture from before the deletion, and of `since` or
    before where no event tells when it began."""
    from console.losses import LossReader
    from sync.loss_basis import began

    told = situation(session)
    found = LossReader(session).read(desired, actual, told, until=None if began(told) else since)
    for text in found.unread:
        say(text)
    if found.basis.taken_at is None:
        say(f"There is no capture to compare with: {found.basis.why}. The CI database alone is asked.")
    return found


def write(made: Report, folder: Path, template: Template) -> list[Path]:
    """`incident-report.md` and `.html`, `first-message.txt`, `letters/PROJECT.eml`; each whole or not at all.

    Raises UsageError when the folder cannot take them.
    """
    from sync.letters import first_message, letters
    from sync.report_text import markdown, page

    contents = {
        "incident-report.md": markdown(made),
        "incident-report.html": page(made),
        "first-message.txt": first_message(made),
    }
    for name, mail in letters(made, template):
        contents[f"letters/{_file_name(name, taken=contents)}.eml"] = mail.as_string()
    return _put(folder, contents)


def _put(folder: Path, contents: dict[str, str]) -> list[Path]:
    from sync import atomic_file

    try:
        (folder / "letters").mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            atomic_file.replace(folder / name, text)
    except OSError as error:
        raise UsageError(
            f"The report cannot be written to {folder}: {error.strerror}.", next_step="Name another folder."
        ) from None
    return [folder / name for name in contents]


def _file_name(project: str, *, taken: dict[str, str]) -> str:
    """A file's name for a project, whatever it is called; numbered where two would be the same."""
    base = re.sub(r"[^\w.-]+", "-", project).strip(".-")[:80] or "project"
    names = (base, *(f"{base}-{number}" for number in range(2, len(taken) + 2)))
    return next(name for name in names if f"letters/{name}.eml" not in taken)
