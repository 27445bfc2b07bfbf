"""`abreast report`: the incident report, the letters and the first message."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from console.cli.output import plain, result, result_json, say
from console.cli.reading import read_both
from console.cli.record import moment
from console.cli.sessions import session_of
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_UNKNOWN, CaptureError, SourceError, UsageError

if TYPE_CHECKING:
    from sync.loss_ledger import Expunging, LossLedger
    from sync.model import ActualInventory, DesiredInventory
    from sync.report import Report

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

    say("Reading both sides …")
    desired, actual = read_both(session)
    drift = session.compare(desired, actual)
    return build(
        session.ledger.entries(since=since),
        environment=session.environment.name,
        since=since,
        made_at=session.clock(),
        made_by=session.operator,
        losses=losses(session, desired, actual, since=since),
        drift=drift,
        headline=session.headline(drift).text,
    )


def losses(
    session: Session, desired: DesiredInventory, actual: ActualInventory, *, since: datetime
) -> LossLedger:
    """Against the newest complete capture of before; without one, by what the CI database alone knows."""
    from sync.loss_ledger import loss_ledger, losses_without_capture

    try:
        store = session.captures.history
        before = [one for one in store.entries() if one.is_complete and one.taken_at <= since]
        if before:
            return loss_ledger(
                store.read(before[-1].id).actual,
                actual,
                expunging=expunging(session),
                deleted=deleted(session),
            )
        say(f"There is no capture of before {since:%Y-%m-%d %H:%M} UTC: the CI database alone is asked.")
    except CaptureError as error:
        say(str(error))
    return losses_without_capture(desired, actual)


def deleted(session: Session) -> list[str]:
    """The ids of domains whose deletion has ended, by CloudStack's own events."""
    from sync.deletions import Kind, Stage, assess

    situation = assess(session.reader.deletions(session.scope()))
    return [one.target_id for one in situation.of(Stage.ENDED) if one.kind is Kind.DOMAIN]


def expunging(session: Session) -> Expunging:
    """How long Destroyed VMs have left, as far as the server tells."""
    from sync.loss_ledger import Expunging

    try:
        delay, destroyed_at = session.reader.expunging()
    except SourceError as error:
        say(f"How long destroyed VMs have left is not known: {error}")
        return Expunging()
    return Expunging(timedelta(seconds=delay) if delay is not None else None, destroyed_at)


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
