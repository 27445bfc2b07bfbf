"""From what is known of retirements to lines: the list, the note below it, and one of them in whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from console.retirement_state import (
    Candidate,
    Found,
    Listing,
    RetireState,
    can_be_signed,
    is_last_of,
    why_no_step,
)
from console.retirement_words import next_words, step_words, undo_words, undone_lines
from sync.approval_court import Verdict
from sync.retirement import CLOSED, STEPS, STEPS_OF_EMPTY, Campaign, Retirement, Stage, Step, Target
from sync.retirement_limits import WINDOW
from sync.retirement_rules import covers, destroyed_lately
from sync.retirement_text import campaign_text, loss_lines
from widgets.cells import counted
from widgets.lines import Line, wrap
from widgets.retire_list import RetireLine

Text = tuple[str, str]
"""A sentence and its tone."""


# --- the list -----------------------------------------------------------------------------------------------


def list_lines(listing: Listing, now: datetime) -> list[RetireLine]:
    """What is in retirement, who may be proposed, who is gone, campaigns, then what is over."""
    mine = [one for one in listing.history.retirements if is_last_of(one, listing.history)]
    going = [one for one in reversed(mine) if one.is_open(now)]
    over = [one for one in reversed(mine) if not one.is_open(now)]
    lines = [_title("in", f"In retirement: {len(going)}")]
    lines += [_retirement_line(one, listing, now) for one in going]
    lines.append(_title("candidates", f"Candidates, by the CI database's records: {len(listing.candidates)}"))
    lines += [_candidate_line(one) for one in listing.candidates]
    if listing.gone:
        names = ", ".join(listing.gone)
        lines.append(_title("gone", f"Recorded, and gone from both sides: {len(listing.gone)} ({names})"))
    campaigns = [one for one in listing.history.campaigns if can_be_signed(one, now)]
    if campaigns:
        lines.append(_title("campaigns", f"Campaigns, beyond the ceiling: {len(campaigns)}"))
        lines += [_campaign_line(one, listing) for one in campaigns]
    if over:
        lines.append(_title("over", f"Over: {len(over)}"))
        lines += [_retirement_line(one, listing, now) for one in over]
    return lines


def _title(key: str, text: str) -> RetireLine:
    return RetireLine(f"title {key}", text, is_title=True)


def _retirement_line(one: Retirement, listing: Listing, now: datetime) -> RetireLine:
    standing = listing.standings.get(one.id)
    signed = f"{len(standing.people)}/{standing.needed}" if standing is not None else ""
    words, tone = waits(one, listing, now)
    glyph = "✓" if one.stage is Stage.DONE else "!" if one.stopped else "◷" if tone == "tone--muted" else "▸"
    stage = one.stage.value
    if one.stage is Stage.PROPOSED and not one.is_open(now):
        stage, glyph = "expired", "✗"
    return RetireLine(one.id, one.proposal.name, glyph, stage, words, signed, tone)


def _candidate_line(one: Candidate) -> RetireLine:
    name = one.path.rpartition("/")[2] or one.key
    if one.why_not:
        return RetireLine(one.key, name, "✗", "may not be proposed", one.why_not, tone="tone--warning")
    stage = "empty domain" if one.is_empty else "candidate"
    return RetireLine(one.key, name, "?", stage, one.note or "may be proposed", tone="tone--key")


def _campaign_line(one: Campaign, listing: Listing) -> RetireLine:
    standing = listing.signers.get(one.id)
    people = standing.people if standing is not None else ()
    words = f"until {one.ends_at:%Y-%m-%d %H:%M} UTC: {one.reason}"
    signed = f"{len(people)}/1"
    tone = "tone--good" if people else "tone--warning"
    glyph, stage = ("✓", "campaign, signed") if people else ("▸", "campaign, unsigned")
    return RetireLine(one.id, ", ".join(one.projects), glyph, stage, words, signed, tone)


def waits(one: Retirement, listing: Listing, now: datetime) -> Text:
    """What it waits for and until when, the most pressing first."""
    if one.stopped:
        return f"stopped: {one.stopped}", "tone--bad"
    if not one.is_open(now):
        return _over_words(one), "tone--muted"
    if one.stage is Stage.UNDOING:
        return "the undoing has not ended", "tone--bad"
    due = one.due_at
    if due is not None and now < due:
        return f"until {due:%Y-%m-%d %H:%M} UTC ({left_words(due, now)})", "tone--muted"
    standing = listing.standings.get(one.id)
    if standing is not None and standing.missing:
        ends = f", until {one.proposal.expires_at:%Y-%m-%d}" if not one.steps else ""
        return f"{counted(standing.missing, 'signature')} missing{ends}", "tone--warning"
    if one.has_stopped_short:
        return "begun and not ended: the next step goes on with it", "tone--bad"
    why = why_no_step(listing, one, now)
    if why:
        return why, "tone--warning"
    step = one.next_step
    return f"ready: {step.value if step else 'nothing'}", "tone--key"


def _over_words(one: Retirement) -> str:
    last = one.last
    if last is None:
        return f"proposed {one.proposal.created_at:%Y-%m-%d} by {one.proposal.author}"
    return f"{last.ended_at or last.begun_at:%Y-%m-%d %H:%M} UTC by {last.by}"


def left_words(until: datetime, now: datetime) -> str:
    """How long it still is."""
    left = until - now
    if left.days:
        return f"{counted(left.days, 'day')} left"
    hours, minutes = divmod(left.seconds // 60, 60)
    return f"{hours} h {minutes:02} min left" if hours else f"{minutes} min left"


def ceiling_words(listing: Listing, now: datetime) -> Text:
    """How much of the ceiling is used, and campaigns that are open."""
    lately = destroyed_lately(listing.history, now)
    names = f" ({', '.join(lately)})" if lately else ""
    words = f"{len(lately)} of {listing.limits.ceiling} projects destroyed in {WINDOW.days} days{names}"
    going = [one for one in listing.history.campaigns if now < one.ends_at]
    words += f"; {counted(len(going), 'campaign')}" if going else "; no campaign"
    return words, "tone--warning" if len(lately) >= listing.limits.ceiling else "tone--muted"


# --- the note below the list --------------------------------------------------------------------------------


def note_texts(found: Found | None, listing: Listing, now: datetime) -> list[Text]:
    """The most important of what is under the cursor."""
    if found is None:
        texts = [(listing.problem, "tone--bad")] if listing.problem else []
        if listing.without_record:
            number = counted(listing.without_record, "domain")
            words = "has" if listing.without_record == 1 else "have"
            text = f"{number} more only CloudStack has, and {words} no record: absence is no evidence."
            text += " `abreast retire NAME --propose --reason … --key …` signs a record by hand."
            texts.append((text, "tone--muted"))
        return texts
    if isinstance(found, Campaign):
        return _campaign_texts(found, listing)
    if isinstance(found, Candidate):
        head = f"{found.path or found.key}: recorded by {found.evidence.by}, {found.evidence.at}: "
        texts = [(f"{head}{found.evidence.reason}", "")]
        if found.proposal is not None:
            texts.append((f"{counted(found.proposal.lost, 'object')} would be lost.", ""))
        texts.append(_candidate_words(found))
        return texts
    proposal = found.proposal
    lost = "" if found.stage is Stage.UNDONE else f", {counted(proposal.lost, 'object')} lost"
    texts = [(f"{proposal.name}: {found.stage.value}{lost}", "")]
    texts += [(text, tone) for text, tone in signed_texts(found, listing)]
    words, tone = waits(found, listing, now)
    texts.append((words, tone))
    return texts


def _campaign_texts(one: Campaign, listing: Listing) -> list[Text]:
    """What it permits, for how long, and who has signed it."""
    standing = listing.signers.get(one.id)
    projects = ", ".join(one.projects)
    texts = [
        (f"{one.id}: {projects} may be destroyed beyond the ceiling. {one.reason}", ""),
        (
            f"From {one.starts_at:%Y-%m-%d %H:%M} until {one.ends_at:%Y-%m-%d %H:%M} UTC, by {one.author}.",
            "",
        ),
    ]
    if standing is None:
        return [*texts, ("It has ended.", "tone--muted")]
    if standing.people:
        texts.append((f"signed by {', '.join(standing.people)}", "tone--good"))
        texts.append(
            ("It counts where they are not those who signed the retirement, or proposed it.", "tone--muted")
        )
    else:
        may = ", ".join(standing.may_sign) or "nobody"
        texts.append(
            (f"nobody has signed it; {may} could, and it counts with one more person.", "tone--warning")
        )
    if standing.problem:
        texts.append((f"{standing.problem}.", "tone--bad"))
    refused = sorted({sign.reason for sign in standing.signatures if sign.verdict is not Verdict.VALID})
    return texts + [(f"does not count: {reason}", "tone--bad") for reason in refused]


def _candidate_words(one: Candidate) -> Text:
    if one.why_not:
        return f"May not be proposed: {one.why_not}", "tone--warning"
    return one.note or "May be proposed.", "tone--key" if not one.note else "tone--warning"


def signed_texts(one: Retirement, listing: Listing) -> list[Text]:
    """Who has signed, who could, and why one does not count."""
    standing = listing.standings.get(one.id)
    if standing is None:
        return []
    who = ", ".join(standing.people) or "nobody"
    tone = "tone--warning" if standing.missing else "tone--good"
    texts = [(f"signed: {len(standing.people)} of {standing.needed} ({who})", tone)]
    if standing.missing:
        texts.append((f"missing: {standing.missing} of {', '.join(standing.may_sign) or 'nobody'}", tone))
    if standing.problem:
        texts.append((f"{standing.problem}.", "tone--bad"))
    refused = sorted({sign.reason for sign in standing.signatures if sign.verdict is not Verdict.VALID})
    return texts + [(f"does not count: {reason}", "tone--bad") for reason in refused]


def result_texts(state: RetireState) -> list[Text]:
    """What is being done, or how the last ended; and the last calls of it."""
    if state.fault:
        return [(state.fault, "tone--bad")]
    calls = [(line, "tone--muted") for line in state.calls[-1:]]
    if state.doing:
        done = f", {counted(len(state.calls), 'call')} over" if state.calls else ""
        return [(f"⟳ {state.doing}{done} …", "tone--key"), *calls]
    return [(state.result, "tone--bad" if state.is_bad else "tone--good")] if state.result else []


# --- one in whole -------------------------------------------------------------------------------------------


def page(
    found: Found, state: RetireState, now: datetime, *, key: Callable[[str], str], width: int
) -> list[Line]:
    """All there is on it. `key` names the key of a command."""
    assert state.listing is not None
    texts: list[Text] = []
    if isinstance(found, Campaign):
        texts += _campaign_texts(found, state.listing)
        texts.append(("", ""))
        texts += [(f"  {line}", "tone--muted") for line in campaign_text(found).splitlines() if line]
        targets: tuple[Target, ...] = ()
    elif isinstance(found, Candidate):
        texts += _candidate_texts(found, state.listing, now)
        targets = found.proposal.targets if found.proposal is not None else ()
    else:
        texts += _retirement_texts(found, state, now, key=key)
        targets = found.proposal.targets
    for target in targets:
        texts += _target_texts(target)
    return [line for text, tone in texts for line in _laid_out(text, tone, width)]


def _laid_out(text: str, tone: str, width: int) -> list[Line]:
    indent = len(text) - len(text.lstrip(" "))
    wrapped = wrap(text.strip(), max(10, width - 2 - indent), at_hyphens=False)
    return [[(f" {' ' * indent}{one}", tone)] for one in wrapped]


def _head(text: str) -> list[Text]:
    return [("", ""), (text, "tone--strong")]


def _candidate_texts(one: Candidate, listing: Listing, now: datetime) -> list[Text]:
    kind = "an empty domain" if one.is_empty else "a project"
    texts: list[Text] = [(f"{one.path or one.key}: a candidate, {kind}", "tone--strong")]
    texts.append(_candidate_words(one))
    texts += _head("Ceiling and campaigns")
    texts += _ceiling_texts(None, listing, now)
    if one.proposal is None:
        texts += [*_head("Evidence"), *_evidence_texts(one.evidence.by, one.evidence.at, one.evidence.reason)]
    return texts


def _retirement_texts(
    one: Retirement, state: RetireState, now: datetime, *, key: Callable[[str], str]
) -> list[Text]:
    listing, proposal = state.listing, one.proposal
    assert listing is not None
    kind = "empty domains, without waiting" if proposal.is_empty else "a project"
    texts: list[Text] = [
        (f"{proposal.name}: {one.stage.value}", "tone--strong"),
        (
            f"{proposal.id}, {kind}, proposed {proposal.created_at:%Y-%m-%d %H:%M} UTC by {proposal.author}",
            "",
        ),
    ]
    if one.stopped:
        texts.append((f"STOPPED: {one.stopped}", "tone--bad"))
    texts += [(line, "tone--warning") for line in undone_lines(one)]
    texts += [*_head("Steps"), *_step_texts(one, now), *_next_texts(one, listing, now, key=key)]
    texts += _head("Signatures")
    texts += [(f"  {text}", tone) for text, tone in signed_texts(one, listing)]
    if not one.steps and one.is_open(now):
        until = f"{proposal.expires_at:%Y-%m-%d %H:%M} UTC"
        text = f"  They count until {until}. {key('write-loss-list')} writes what to send."
        texts.append((text, "tone--muted"))
    texts += [*_head("Ceiling and campaigns"), *_ceiling_texts(one, listing, now)]
    if state.calls:
        texts += [*_head("Calls of the last step here"), *((f"  {line}", "") for line in state.calls)]
    return texts


def _step_texts(one: Retirement, now: datetime) -> list[Text]:
    """A tick only where the step was seen to end."""
    order = STEPS_OF_EMPTY if one.proposal.is_empty else STEPS
    steps = (*order, Step.UNDO) if one.done(Step.UNDO) else order
    texts: list[Text] = []
    for step in steps:
        done = one.done(step)
        if done is None:
            texts.append((f"  · {step.value}", "tone--muted"))
        elif done.ended_at is None:
            texts.append(
                (
                    f"  ! {step.value}: begun {done.begun_at:%Y-%m-%d %H:%M} by {done.by}, not ended",
                    "tone--bad",
                )
            )
        else:
            texts.append((f"  ✓ {step.value}: {done.ended_at:%Y-%m-%d %H:%M} UTC by {done.by}", "tone--good"))
        due = one.due_at
        if done is not None and done is one.last and due is not None and now < due:
            text = f"    waits until {due:%Y-%m-%d %H:%M} UTC, {left_words(due, now)}"
            texts.append((text, "tone--warning"))
    return texts


def _next_texts(one: Retirement, listing: Listing, now: datetime, *, key: Callable[[str], str]) -> list[Text]:
    if one.stage in CLOSED or not one.is_open(now):
        return [("  next: nothing", "tone--muted")]
    texts: list[Text] = [(f"  {next_words(one, now)}", "")]
    step = one.next_step
    if step is not None:
        texts.append((f"  {key('retire-step')} {step_words(step)}", ""))
        why = why_no_step(listing, one, now)
        if why:
            texts.append((f"  Not now: {why}", "tone--warning"))
    return [*texts, (f"  {key('retire-undo')} {undo_words(one)}", "")]


def _ceiling_texts(one: Retirement | None, listing: Listing, now: datetime) -> list[Text]:
    words, tone = ceiling_words(listing, now)
    texts: list[Text] = [(f"  {words}", tone)]
    if one is not None and one.proposal.is_empty:
        texts.append(("  Empty domains are outside of the ceiling.", "tone--muted"))
    counting = listing.campaigns.get(one.id, ()) if one is not None else ()
    campaigns = listing.history.campaigns
    return texts + [_campaign_text(campaign, one, counting, listing, now) for campaign in campaigns]


def _campaign_text(
    one: Campaign,
    retirement: Retirement | None,
    counting: Iterable[Campaign],
    listing: Listing,
    now: datetime,
) -> Text:
    state = f"until {one.ends_at:%Y-%m-%d %H:%M} UTC" if now < one.ends_at else "ended"
    words = f"  campaign {one.id}: {', '.join(one.projects)}, {state}, {one.reason}"
    standing = listing.signers.get(one.id)
    if standing is not None:
        words += f"; signed by {', '.join(standing.people) or 'nobody'}"
    if retirement is None or not any(covers(one, name, now) for name in retirement.proposal.projects):
        return words, "tone--muted"
    counts = one.id in {campaign.id for campaign in counting}
    said = "counts for this" if counts else "does not count yet: one more person has to sign it"
    return f"{words}; {said}", "tone--good" if counts else "tone--warning"


def _target_texts(target: Target) -> list[Text]:
    """Evidence, and everything that goes with the domain, with ids and sizes."""
    evidence = target.evidence
    texts = [*_head(f"Evidence for {target.path} ({target.domain_id})")]
    by = f"{evidence.by} (a record signed by hand)" if evidence.is_by_hand else evidence.by
    texts += _evidence_texts(by, evidence.at, evidence.reason)
    texts += [
        (
            f"  only CloudStack had it: CI database read {one.desired_at:%Y-%m-%d %H:%M:%S}, "
            f"CloudStack {one.actual_at:%H:%M:%S} UTC",
            "",
        )
        for one in target.sightings
    ]
    lost = sum(not loss.kept_as for loss in target.losses)
    kept = len(target.losses) - lost
    texts += _head(f"What goes: {counted(lost, 'object')} lost, {kept} kept")
    for line in loss_lines(target.losses):
        texts.append((f"  {line}", "tone--good" if line.startswith("kept") else ""))
    return texts + [(f"  note: {note}", "tone--muted") for note in target.notes]


def _evidence_texts(by: str, at: str, reason: str) -> list[Text]:
    return [(f"  recorded by {by or 'nobody named'}, {at or 'no time named'}: {reason or '–'}", "")]
