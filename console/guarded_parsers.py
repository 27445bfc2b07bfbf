"""Parsers of the commands around deletions: the record, containing, retiring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from console.parsing import Parser, above_zero, add, environment_options, format_option, word_option

if TYPE_CHECKING:
    from console.parsing import Commands


def add_ledger(commands: Commands) -> None:
    """The record, and what is decided on it."""
    ledger = commands.add_parser(
        "ledger", help="the record of what was done", description="The record of what was done."
    )
    environment_options(ledger, nested=True)
    verbs = ledger.add_subparsers(title="verbs", metavar="VERB", parser_class=Parser, required=True)
    show = add(verbs, "show", "record:show", "every intent, job and outcome, the oldest first")
    show.add_argument("--run", metavar="ID", help="only this run")
    show.add_argument("--since", metavar="T", help="only since then: 12h, 3d, 2026-07-28T03:12 (UTC)")
    show.add_argument("--limit", type=above_zero, metavar="N", help="only the newest N entries")
    format_option(show)
    verify = add(
        verbs,
        "verify",
        "record:verify",
        "recompute the chain of hashes: 0 sound, 2 changed, cut or reordered",
    )
    verify.add_argument(
        "--head", metavar="HASH", help="a last hash noted down elsewhere, which must still be in it"
    )
    format_option(verify)
    add(verbs, "export", "record:export", "all of it as JSON lines, each as it was hashed")
    merge = add(
        verbs,
        "merge",
        "record:merge",
        "take in what was recorded while the ledger could not be reached",
    )
    merge.add_argument(
        "--file", metavar="FILE", type=Path, help="another machine's journal (default: this one's own)"
    )
    lease = add(
        verbs,
        "break-lease",
        "record:break_lease",
        "end the lease of an execution whose machine is gone",
    )
    lease.add_argument(
        "--owner", metavar="NAME", required=True, help="who holds it, as the refusal names them"
    )
    lease.add_argument("--reason", metavar="TEXT", required=True, help="why; it is recorded")
    accept = add(
        verbs,
        "accept",
        "accepting:accept",
        "whether a side has less in it than before, and that this is right",
    )
    accept.add_argument("side", choices=("desired", "actual"))
    accept.add_argument(
        "--reason", metavar="TEXT", help="take what is there now for all of it; the reason is recorded"
    )
    acknowledge = add(
        verbs,
        "acknowledge",
        "acknowledging:acknowledge",
        "deletions that are not in the ledger: list them, or say that somebody has looked at them",
    )
    acknowledge.add_argument("events", nargs="*", metavar="EVENT", help="the event's id, or its beginning")
    acknowledge.add_argument("--all", action="store_true", help="all of them")
    acknowledge.add_argument("--reason", metavar="TEXT", help="what was found; it is recorded")
    pin = add(
        verbs,
        "pin",
        "record:pin",
        "which server the environment is pinned to, and whether it is the one",
    )
    pin.add_argument(
        "--reason", metavar="TEXT", help="pin it anew to the server that answers now; the reason is recorded"
    )


def add_containment(commands: Commands) -> None:
    """Stopping a deletion."""
    contain = add(
        commands,
        "contain",
        "containing:contain",
        "what is being deleted and by whom; fence, brake, shield",
    )
    contain.add_argument("--all", action="store_true", help="take every rung that is possible here")
    contain.add_argument("--fence", action="store_true", help="take the deleting user's access away")
    contain.add_argument(
        "--caller", metavar="USER", action="append", default=[], help="fence this one: ACCOUNT/USER, or an id"
    )
    contain.add_argument("--brake", action="store_true", help="hold CloudStack's database lock until ctrl+c")
    contain.add_argument("--hold", metavar="SECONDS", type=float, help="hold the brake for so long only")
    contain.add_argument("--shield", action="store_true", help="protect one VM in every domain")
    contain.add_argument(
        "--evidence", metavar="FILE", type=Path, help="write events, jobs, servers and limits to a file"
    )
    contain.add_argument("--lift-fence", metavar="USER", help="undo the fence on this one")
    contain.add_argument("--reason", metavar="TEXT", help="why a fence is lifted; it is recorded")
    contain.add_argument(
        "--second", metavar="NAME", help="who else wants it lifted although stored ids are gone"
    )
    word_option(contain)
    format_option(contain)
    shield = add(commands, "shield", "containing:shield", "a tripwire in every domain that can have one")
    shield.add_argument("projects", nargs="*", metavar="PROJECT", help="only these (default: all)")
    shield.add_argument("--lift", action="store_true", help="take down exactly what was put up")
    word_option(shield)
    format_option(shield)


def add_retirement(commands: Commands) -> None:
    """The deletion protocol."""
    retire = add(
        commands,
        "retire",
        "retiring:retire",
        "a retirement, step by step: propose, approve, quarantine … delete",
    )
    retire.add_argument("projects", nargs="*", metavar="PROJECT", help="which project (or a campaign's id)")
    what = retire.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="every retirement and campaign, and the ceiling")
    what.add_argument("--show", action="store_true", help="only show it, its loss list and who has signed")
    what.add_argument(
        "--propose", action="store_true", help="propose it, from two readings that are ten minutes apart"
    )
    what.add_argument("--approve", action="store_true", help="sign the loss list, or hand a signature in")
    what.add_argument("--undo", action="store_true", help="take back what was done, as far as it can be")
    what.add_argument("--campaign", action="store_true", help="ask for these projects beyond the ceiling")
    retire.add_argument("--empty", action="store_true", help="propose them as empty domains, in a batch")
    retire.add_argument("--no-archive", action="store_true", help="propose it without keeping anything")
    retire.add_argument("--no-files", action="store_true", help="propose it without files in the archive")
    retire.add_argument("--reason", metavar="TEXT", help="why: of a record made by hand, or of a campaign")
    retire.add_argument("--until", metavar="T", help="when a campaign ends (2026-12-31, in UTC)")
    retire.add_argument(
        "--key", metavar="KEY", type=Path, help="SSH key that signs: the loss list, or a record made by hand"
    )
    retire.add_argument("--signature", metavar="FILE", type=Path, help="what ssh-keygen made elsewhere")
    retire.add_argument("--print", action="store_true", help="write the text to be signed, sign nothing")
    retire.add_argument("--start", action="store_true", help="with --undo: start the VMs that ran before")
    retire.add_argument("--confirm", metavar="WORD", help="the word that is asked for, instead of typing it")
    format_option(retire)
