"""The incident report of a session, for the screen and for `abreast report`: made from ledger, captures and
both sides read anew, and written into a folder with the letters and the first message. Blocks, and belongs
into a thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from sync.errors import AbreastError, CaptureError, unwritable

if TYPE_CHECKING:
    from console.losses import Losses
    from console.session_protocol import ConsoleSession
    from sync.capture import Capture
    from sync.deletions import Situation
    from sync.ledger import Entry
    from sync.model import ActualInventory, DesiredInventory
    from sync.report import Report
    from sync.report_deletions import Deletions, Recording
    from sync.restoration import Restoration
    from sync.stock import PublicAddress

Tell = Callable[[str], None]
"""Called with a sentence about what is being done, or could not be."""
DEFAULT_SINCE = "24h"
ONE_DAY = timedelta(days=1)
"""CloudStack is asked for days, by its own time zone."""


def make(
    session: ConsoleSession,
    *,
    since: datetime,
    on_step: Tell,
    chosen: int | Capture | None = None,
    evidence: Sequence[Recording] = (),
) -> Report:
    """The report of what happened since then, up to now. Losses are told against the `chosen` capture, by its
    number or itself, else against the newest from before the deletion. Who deleted is told by `evidence`,
    too, and by what this console has saved. Raises LedgerError."""
    from console.cli.reading import read_both
    from sync.report import build
    from sync.report_back import returned
    from sync.unrecorded import DeletionCheck

    on_step("Reading both sides …")
    desired, actual = read_both(session)
    drift = session.compare(desired, actual)
    entries = session.ledger.entries(since=since)
    told = losses(session, desired, actual, since=since, on_step=on_step, chosen=chosen)
    before, unread = None if told.before is None else told.before.actual, list(told.unread)
    planned, addresses = _planned(session, before, actual, unread)
    deleted = _deletions(session, told, entries, since=since, unread=unread, evidence=evidence)
    return build(
        entries,
        environment=session.environment.name,
        since=since,
        made_at=session.clock(),
        made_by=session.operator,
        began=told.basis.began,
        basis=told.basis.why,
        losses=told.ledger,
        drift=drift,
        # How many deletions are in nobody's ledger is said from `deleted`, in its own words.
        headline=session.headline(replace(drift, deletions=DeletionCheck())).text,
        back=returned(entries, told.ledger, before=before, now=actual, planned=planned, elsewhere=addresses),
        deletions=deleted,
        unread=unread,
    )


def _deletions(
    session: ConsoleSession,
    told: Losses,
    entries: Sequence[Entry],
    *,
    since: datetime,
    unread: list[str],
    evidence: Sequence[Recording],
) -> Deletions:
    """Who deleted what since then, or since the deletion began where that was earlier. Raises LedgerError."""
    from sync.deletion_record import DeletionRecord
    from sync.report_deletions import deletions

    start = min(since, told.basis.began or since)
    events, problem = session.reader.deletion_events(start - ONE_DAY)
    lost = [one.id for one in told.ledger.objects if one.type == "domain" and one.id]
    try:
        seen = session.captures.last_captured(lost)
    except CaptureError as error:
        unread.append(f"When what is gone was captured last is not known: {error}")
        seen = {}
    before = () if told.before is None else told.before.actual.domains
    return deletions(
        events,
        DeletionRecord().current(session.ledger),
        entries,
        told.ledger,
        since=start,
        made_at=session.clock(),
        parent=session.environment.parent,
        paths={**session.reader.paths, **{domain.id: domain.path for domain in before}},
        last_captured=seen,
        recordings=[*evidence, *_saved(session, start, unread, known={one.file for one in evidence})],
        problem=problem,
    )


def recordings(session: ConsoleSession, files: Sequence[Path]) -> list[Recording]:
    """The evidence that was named, each file once. Raises UsageError, DataError, GuardError."""
    from sync.evidence import read

    endpoint = session.environment.endpoint
    return [read(path, endpoint=endpoint) for path in dict.fromkeys(path.resolve() for path in files)]


def _saved(
    session: ConsoleSession, since: datetime, unread: list[str], *, known: Collection[str]
) -> Iterator[Recording]:
    """What this console has saved since then and nobody named; what is no good is said."""
    from sync.evidence import saved_in

    environment = session.environment
    folder = environment.credential_file.parent.resolve()
    try:
        files = [path for path in saved_in(folder, environment.name, since=since) if str(path) not in known]
    except OSError as error:
        unread.append(f"Evidence that was saved in {folder} cannot be read: {error.strerror}.")
        return
    for path in files:
        try:
            yield from recordings(session, [path])
        except AbreastError as error:
            unread.append(str(error))


def _planned(
    session: ConsoleSession, before: ActualInventory | None, actual: ActualInventory, unread: list[str]
) -> tuple[Restoration | None, Sequence[PublicAddress]]:
    """What a restore of the capture would do now, and of the rest why not, None where nobody can tell; and
    the public addresses of the whole cloud."""
    from sync.archive_folder import read
    from sync.archives import Archives
    from sync.restoration import UNREAD_ADDRESSES
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
        unread.append(f"{UNREAD_ADDRESSES}: an address that is not named above may be somebody else's.")
        return None, ()
    return plan_restoration(before, actual, means), means.stock.public_addresses


def situation(session: ConsoleSession) -> Situation:
    """What CloudStack shows of deletions now, in the last days too."""
    from sync.deletions import assess
    from sync.model import Scope

    return assess(session.reader.deletions(Scope(parent=session.environment.parent)))


def losses(
    session: ConsoleSession,
    desired: DesiredInventory,
    actual: ActualInventory,
    *,
    since: datetime,
    on_step: Tell,
    chosen: int | Capture | None = None,
) -> Losses:
    """As Assess tells them: against the chosen capture, else the newest complete one from before the
    deletion, and of `since` or before where events were read and none tells when it began."""
    from console.losses import LossReader
    from sync.loss_basis import began

    told = situation(session)
    until = None if began(told) or told.is_unread else since
    found = LossReader(session).read(desired, actual, told, chosen=chosen, until=until)
    for text in found.unread:
        on_step(text)
    if found.basis.taken_at is None:
        on_step(f"There is no capture to compare with: {found.basis.why}. The CI database alone is asked.")
    return found


def write(made: Report, folder: Path, template: Template) -> list[Path]:
    """`incident-report.md` and `.html`, `first-message.txt`, `letters/PROJECT.eml`; each whole or not at all.

    Raises UsageError, StorageError when the folder cannot take them.
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
        raise unwritable(
            f"The report cannot be written to {folder}", error, next_step="Name another folder."
        ) from None
    return [folder / name for name in contents]


def _file_name(project: str, *, taken: dict[str, str]) -> str:
    """A file's name for a project, whatever it is called; numbered where two would be the same."""
    base = re.sub(r"[^\w.-]+", "-", project).strip(".-")[:80] or "project"
    names = (base, *(f"{base}-{number}" for number in range(2, len(taken) + 2)))
    return next(name for name in names if f"letters/{name}.eml" not in taken)
