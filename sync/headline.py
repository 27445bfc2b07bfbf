"""The state of an environment in plain words: one or two sentences, and the keys that lead on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sync.deletion_rows import settled
from sync.deletion_text import clock_words
from sync.deletions import Deletion, Kind, Situation, Stage, can_tell
from sync.hollow import is_emptied
from sync.model import Coverage, CoverageState, Drift, DriftKind, DriftRow, Side, Subject
from sync.parts import alive, is_blocked, is_missing_parent, left_of

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class NextKey:
    """What to press and what it does; who draws it knows whether the key exists here, and its remapping."""

    key: str
    words: str

    def __str__(self) -> str:
        return f"{self.key} {self.words}"


@dataclass(frozen=True, slots=True)
class Headline:
    text: str
    """Whole sentences. May hold names and messages from outside: never markup."""
    next_keys: tuple[NextKey, ...] = ()

    @property
    def sentence(self) -> str:
        """The text with its keys: `… R recovers, enter opens.`"""
        keys = ", ".join(map(str, self.next_keys))
        return f"{self.text} {keys}." if keys else self.text

    def __str__(self) -> str:
        return self.sentence


CONTAINS = NextKey("!", "contains it")
FENCES_ANEW = NextKey("!", "fences anew")
SHOWS_DELETIONS = NextKey("!", "shows it")
RECOVERS = NextKey("R", "recovers")
SHOWS_LOSSES = NextKey("R", "shows what is lost")
OPENS = NextKey("enter", "opens")


def headline(drift: Drift, situation: Situation | None = None) -> Headline:
    """What to know first: a deletion that goes on, where `situation` says so; then everything else.

    Of deletions that only an earlier reading of CloudStack told, the past tense is used. How old the readings
    are is not said here, where it would stand still: each source says it.
    """
    drift = settled(drift, situation)
    past = situation is not None and not can_tell(drift.actual)
    sides = ((Side.ACTUAL, drift.actual), (Side.DESIRED, drift.desired))
    is_complete = all(coverage.is_complete for _, coverage in sides)
    sentences: list[str] = []
    if situation is not None and situation.is_happening:
        sentences += _happening(situation, past=past)
    sentences += _fences(drift)
    is_told = situation is not None and bool(situation.busy)
    sentences += [unread(side, coverage) for side, coverage in sides if not coverage.is_complete]
    if drift.misplaced:
        grave, lesser = [*_shrunk(drift), drift.misplaced, *_dying(drift, is_told=is_told)], []
    elif is_complete:
        grave, lesser = [*_shrunk(drift), *_critical(drift, is_told=is_told)], [*_lesser(drift)]
    else:
        dying = _dying(drift, is_told=is_told)
        grave = [*_shrunk(drift), *(dying or ([] if is_told else _by_jobs(drift)))]
        lesser = [*_unknown(drift)]
    remains = [] if situation is None else [*_remains(situation, past=past)]
    sentences += [*grave, *_unrecorded(drift, is_brief=bool(grave) or is_told), *lesser]
    if is_complete and not (grave or lesser or remains or is_told):
        sentences.append(_in_sync(drift))
    sentences += remains
    sentences += _losses(drift)
    sentences += _hidden(drift)
    if situation is not None and is_complete and situation.problems:
        sentences.append(f"Deletions are not seen in full: {situation.problems[0].rstrip('.')}.")
    return Headline(" ".join(sentences), tuple(_keys(drift, situation, is_complete=is_complete)))


def unread(side: Side, coverage: Coverage) -> str:
    """One sentence about a side that is not complete, with its own words of why."""
    how = "could not be read" if coverage.state is CoverageState.FAILED else "was read in part only"
    subject = f"The {side.value}" if side is Side.DESIRED else side.value
    why = coverage.why.strip().rstrip(".")
    if coverage.is_foreign:
        return f"{subject} is not proven to be this environment's: {why}."
    return f"{subject} {how}: {why}." if why else f"{subject} {how}."


# --- findings ---------------------------------------------------------------------------------------------


def _rows(drift: Drift, kind: DriftKind) -> list[DriftRow]:
    return [row for row in drift.rows if row.kind is kind]


def _number(number: int) -> str:
    """For the beginning of a sentence."""
    return _NUMBERS[number].capitalize() if number < len(_NUMBERS) else str(number)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _unrecorded(drift: Drift, *, is_brief: bool) -> Iterator[str]:
    """Deletions that nobody here approved: proven by their events, whatever else could be read. Which ones is
    said where nothing graver is."""
    found = drift.deletions.found
    if not found:
        return
    shown = "; ".join(one.words for one in found[-2:])
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""
    verb = "deletion is" if len(found) == 1 else "deletions are"
    yield f"{_number(len(found))} {verb} not in the ledger" + ("." if is_brief else f": {shown}{more}.")
    ahead = clock_words((one.at for one in found[-2:]), drift.actual_taken_at)
    if ahead and not is_brief:
        yield ahead


def _fences(drift: Drift) -> Iterator[str]:
    """Who was fenced and is not any more: what deleted has access again."""
    for one in drift.fences.lost:
        yield f"{one.words[0].upper()}{one.words[1:]}."


def _shrunk(drift: Drift) -> Iterator[str]:
    """CloudStack has lost what it had: the incident, whether or not the CI database knows what went."""
    if drift.actual.shrunk:
        yield f"CloudStack has shrunk: {drift.actual.shrunk[0].words}."


def _critical(drift: Drift, *, is_told: bool) -> Iterator[str]:
    """`is_told`: the deletions that go on were said already."""
    missing = _rows(drift, DriftKind.MISSING)
    parent = next((part.name for row in drift.rows for part in row.parts if is_missing_parent(part)), None)
    if parent is not None:
        yield f"The parent domain {parent} does not exist."
    if missing:
        projects = sum(row.project is not None for row in drift.rows)
        verb = "has" if len(missing) == 1 else "have"
        yield f"{len(missing)} of {_count(projects, 'project')} {verb} no domain."
    if not is_told:
        yield from _deleting(drift, subject="" if missing else "domain")
    yield from _hollow(drift)
    yield from _orphaned(drift, is_told=is_told)


def _dying(drift: Drift, *, is_told: bool) -> list[str]:
    """What is certain of deletions also where not everything was read."""
    return [*([] if is_told else _deleting(drift)), *_orphaned(drift, is_told=is_told)]


def _by_jobs(drift: Drift) -> Iterator[str]:
    """What only the jobs tell of a deletion, because what it takes was not read."""
    if drift.deletion_jobs:
        yield (
            f"CloudStack deletes now: {_count(drift.deletion_jobs, 'job')} of it "
            f"{'deletes a domain' if drift.deletion_jobs == 1 else 'delete domains'}, which, it does not say."
        )


def _orphaned(drift: Drift, *, is_told: bool) -> Iterator[str]:
    orphaned = _rows(drift, DriftKind.ORPHANED)
    if orphaned:
        vms, noun = left_of([vm for row in orphaned if row.dying is not None for vm in row.dying.vms])
        verb = "is" if vms == 1 else "are"
        domains = "a deleted domain" if len(orphaned) == 1 else f"{len(orphaned)} deleted domains"
        since = "whose own deletion runs no longer" if is_told else "and no deletion runs"
        yield f"{_count(vms, noun)} {verb} left of {domains}, {since}."


def _hollow(drift: Drift) -> Iterator[str]:
    """Those without accounts, and those that captures remember with VMs or templates."""
    hollow = _rows(drift, DriftKind.HOLLOW)
    emptied = sum(map(is_emptied, hollow))
    for number, one, many in (
        (len(hollow) - emptied, "its account is", "their accounts are"),
        (emptied, "its VMs and templates are", "their VMs and templates are"),
    ):
        if number:
            subject = f"domain is hollow: {one}" if number == 1 else f"domains are hollow: {many}"
            yield f"{_number(number)} {subject} gone."


def _deleting(drift: Drift, *, subject: str = "domain") -> Iterator[str]:
    deleting = _rows(drift, DriftKind.DELETING)
    if not deleting:
        return
    vms = alive(vm for row in deleting if row.dying is not None for vm in row.dying.vms)
    running = sum(vm.state.casefold() == "running" for vm in vms)
    verb = "is" if len(deleting) == 1 else "are"
    noun = f" {subject}{'' if len(deleting) == 1 else 's'}" if subject else ""
    if running:
        still = f" ({_count(running, 'VM')} still {'runs' if running == 1 else 'run'})"
    else:
        still = f" ({_count(len(vms), 'VM')} still there)" if vms else ""
    yield f"{_number(len(deleting))}{noun} {verb} being deleted now{still}."


# --- deletions --------------------------------------------------------------------------------------------


def _happening(situation: Situation, *, past: bool) -> Iterator[str]:
    """What is being deleted now and what is submitted; in the `past`, where that is not known of now."""
    running, queued = situation.of(Stage.RUNNING), situation.of(Stage.QUEUED)
    said = []
    if running:
        alive = sum(len(one.alive) for one in running)
        now = "" if past else " now"
        going = f"{_number(len(running))} {_what(running)} {_be(len(running), past)} being deleted{now}"
        going += f" ({_alive(alive)})"
        if queued:
            going += f", {len(queued)} more {_be(len(queued), past)} submitted"
        said.append(f"{going}.")
    elif queued:
        what = _count(len(queued), _what(queued[:1]))
        said.append(f"The deletion of {what} {_be(len(queued), past)} submitted.")
    if situation.unnamed_jobs:
        runs = "ran" if past else "runs" if situation.unnamed_jobs == 1 else "run"
        said.append(f"{_count(situation.unnamed_jobs, 'deletion job')} {runs}, and no event says of what.")
    yield from _told_at(situation, said) if past else said


def _be(number: int, past: bool) -> str:
    if past:
        return "was" if number == 1 else "were"
    return "is" if number == 1 else "are"


def _told_at(situation: Situation, said: Sequence[str]) -> Iterator[str]:
    """These sentences, of which the first says when they were true."""
    for number, sentence in enumerate(said):
        when = f"When CloudStack was last read, at {situation.taken_at:%H:%M:%S} UTC, "
        yield f"{when}{sentence[0].lower()}{sentence[1:]}" if number == 0 else sentence


def _what(deletions: Sequence[Deletion]) -> str:
    if any(one.kind is Kind.DOMAIN for one in deletions):
        return "domain" if len(deletions) == 1 else "domains"
    return "account" if len(deletions) == 1 else "accounts"


def _alive(vms: int) -> str:
    return f"{_count(vms, 'VM')} still alive" if vms else "no VM of it is left"


def _remains(situation: Situation, *, past: bool) -> Iterator[str]:
    """What deletions left half done, and what was refused: no alarm, but somebody tried."""
    half = situation.of(Stage.HALF_DONE)
    said = []
    if half:
        it = "it" if len(half) == 1 else "them"
        state = f"{_number(len(half))} {_what(half)} {_be(len(half), past)} half deleted"
        said.append(f"{state}: CloudStack's clean-up may go on with {it}.")
    refused = len(situation.of(Stage.REFUSED))
    if refused:
        said.append(f"{_count(refused, 'deletion')} {_be(refused, past=True)} refused.")
    yield from _told_at(situation, said) if past and not situation.is_happening else said


# --- the rest ---------------------------------------------------------------------------------------------


def _lesser(drift: Drift) -> Iterator[str]:
    unexpected = len(_rows(drift, DriftKind.UNEXPECTED))
    if unexpected:
        verb = "domain is" if unexpected == 1 else "domains are"
        yield f"{_number(unexpected)} {verb} unexpected."
    differs = len(_rows(drift, DriftKind.DIFFERS))
    if differs:
        yield f"{_number(differs)} {'project differs' if differs == 1 else 'projects differ'}."
    unknown = _rows(drift, DriftKind.UNKNOWN)
    unread_limits = sum(_lacks_only_limits(row) for row in unknown)
    if unread_limits:
        yield f"The limits of {_count(unread_limits, 'project')} are not known."
    if len(unknown) > unread_limits:
        yield f"{_number(len(unknown) - unread_limits)} cannot be compared."


def _lacks_only_limits(row: DriftRow) -> bool:
    return bool(row.parts) and all(part.subject is Subject.LIMIT for part in row.differences)


def _unknown(drift: Drift) -> Iterator[str]:
    """What an incomplete side means for the rows."""
    unknown = len(_rows(drift, DriftKind.UNKNOWN))
    if unknown:
        yield f"Whether {_count(unknown, 'row')} {'is' if unknown == 1 else 'are'} in sync is not known."


def _losses(drift: Drift) -> list[str]:
    lost = sum(len(row.losses) for row in drift.rows)
    if not lost:
        return []
    return [f"{_count(lost, 'machine')} of the CI database {'has' if lost == 1 else 'have'} no VM any more."]


def _hidden(drift: Drift) -> Iterator[str]:
    """How much is not shown, always; and the rules that hide nothing."""
    if drift.hidden:
        rules = len({one.rule for one in drift.hidden})
        verb = "is" if len(drift.hidden) == 1 else "are"
        yield f"{_count(len(drift.hidden), 'difference')} {verb} hidden by {_count(rules, 'rule')}."
    if drift.rule_problems:
        number = len(drift.rule_problems)
        verb = "hides" if number == 1 else "hide"
        yield f"{_count(number, 'ignore rule')} {verb} nothing."


def _in_sync(drift: Drift) -> str:
    projects = len(drift.rows)
    if not projects:
        return f"The CI database has no projects and CloudStack no domains below {drift.scope.parent}."
    if not drift.scope.is_full:
        return f"{_count(projects, 'project')} compared, in sync."
    return "The only project is in sync." if projects == 1 else f"All {projects} projects are in sync."


def _keys(drift: Drift, situation: Situation | None, *, is_complete: bool) -> Iterator[NextKey]:
    if situation is not None and situation.is_happening:
        yield CONTAINS
    elif drift.fences.lost:
        yield FENCES_ANEW
    elif situation is not None and situation.of(Stage.HALF_DONE, Stage.ORPHANED, Stage.REFUSED):
        yield SHOWS_DELETIONS
    critical = [row for row in drift.rows if row.kind.is_critical and row.project and not is_blocked(row)]
    if is_complete and critical:
        is_lost = all(is_emptied(row) and not row.differences for row in critical)
        yield SHOWS_LOSSES if is_lost else RECOVERS
    if any(row.kind is not DriftKind.IN_SYNC for row in drift.rows):
        yield OPENS
