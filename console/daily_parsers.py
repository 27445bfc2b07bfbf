"""Parsers of the daily commands: the console's modes, reading, planning, executing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from console.parsing import add, format_option
from sync.drill_scenarios import DEFAULT, SCENARIOS

if TYPE_CHECKING:
    import argparse

    from console.parsing import Commands


def add_screens(commands: Commands) -> None:
    """The console in its modes, and what there is to practise on."""
    watch = add(
        commands,
        "watch",
        "screens:open_watch",
        "read-only monitoring: refreshes by itself, rings on critical drift",
    )
    watch.add_argument(
        "--headless", action="store_true", help="no screen: one JSON line a refresh, until interrupted"
    )
    add(commands, "recover", "screens:open_recovery", "open the console in recovery mode")
    replay = add(commands, "replay", "capturing:replay", "the console on a capture: what was, read-only")
    replay.add_argument("file", metavar="FILE", type=Path, help="as `abreast capture` writes it")
    replay.add_argument(
        "--at", metavar="T", help="of a file with several captures, the newest then: 12h, 2026-07-28T03:12"
    )
    drill = add(commands, "drill", "practice:drill", "the practice incident, with nothing to configure")
    drill.add_argument(
        "--scenario",
        metavar="NAME",
        help=f"which incident: {', '.join(SCENARIOS)}; `help` says what they are (default: {DEFAULT})",
    )
    drill.add_argument(
        "--from",
        dest="capture",
        metavar="FILE",
        type=Path,
        help="no incident: a practice cloud as this capture was",
    )
    drill.add_argument(
        "--script", action="store_true", help="play it through without a terminal and print a JSON summary"
    )
    sandbox = add(commands, "sandbox", "practice:sandbox", "the stand-in CloudStack alone, for other tools")
    sandbox.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    sandbox.add_argument("--state", metavar="FILE", type=Path, help="keep its state here over a restart")
    sandbox.add_argument(
        "--world",
        default="drill",
        metavar="empty|drill|large|FILE",
        help="what it is seeded with (FILE may be a capture)",
    )
    sandbox.add_argument("--release", choices=("4.23", "4.18"), default="4.23", help="which CloudStack it is")
    sandbox.add_argument("--speed", type=float, default=1.0, help="how much faster its time runs")


def add_readers(commands: Commands) -> None:
    """What only reads."""
    check = add(
        commands,
        "check",
        "reading:check",
        "one comparison: 0 in sync, 1 drift, 2 critical, 3 unknown",
    )
    format_option(check)
    _add_report(commands)
    _add_losses(commands)
    relink = add(
        commands,
        "relink",
        "relinking:relink",
        "stored ids that no domain has any more, and what mends them",
    )
    relink.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="write CSV and SQL there")
    format_option(relink)
    inventory = add(commands, "inventory", "reading:inventory", "one side as JSON lines")
    inventory.add_argument("side", choices=("desired", "actual"))
    capture = add(
        commands,
        "capture",
        "capturing:capture",
        "both sides into a file: to replay, compare, rehearse on",
    )
    capture.add_argument("file", metavar="FILE", type=Path, help="where to; must not be there yet")
    capture.add_argument(
        "--at", metavar="T", help="what was captured by itself then: 12h, 3d, 2026-07-28T03:12 (UTC)"
    )
    format_option(capture)


def _add_losses(commands: Commands) -> None:
    losses = add(
        commands, "losses", "losing:losses", "what a deletion took, object by object, and what comes back"
    )
    undelete = add(
        commands,
        "undelete",
        "losing:undelete",
        "bring destroyed VMs back whose account is there, most urgent first",
    )
    for parser in (losses, undelete):
        parser.add_argument("projects", nargs="*", metavar="PROJECT", help="only these (default: all)")
        format_option(parser)
    _add_capture(losses)


def _add_capture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--capture",
        metavar="T|FILE",
        help="against the newest complete capture then (12h, 3d, 2026-07-28T03:12, in UTC), or one in a file "
        "(default: the newest complete one from before the deletion began)",
    )


def _add_report(commands: Commands) -> None:
    text = "the incident report, from the ledger, the captures and a reading"
    report = add(commands, "report", "reporting:report", text)
    report.add_argument(
        "--since", metavar="T", help="when it began: 12h, 3d, 2026-07-28T03:12 (default: 24h)"
    )
    _add_capture(report)
    report.add_argument(
        "--evidence",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="who deleted by this, too, which `contain` has saved; may be given several times",
    )
    report.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        type=Path,
        help="there, also as HTML, and the letters",
    )
    report.add_argument(
        "--template", metavar="FILE", type=Path, help="of the letters: $project, $lost, $back and others"
    )
    format_option(report)


def add_changers(commands: Commands) -> None:
    """From the plan to its execution."""
    plan = add(commands, "plan", "planning:plan", "write the plan of repairs (never deletions)")
    plan.add_argument("projects", nargs="*", metavar="PROJECT", help="only these (default: all)")
    plan.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to (default: stdout)")
    review = add(commands, "review", "planning:review", "show a plan, its blast radius, and who signed it")
    review.add_argument("file", metavar="FILE", type=Path)
    review.add_argument(
        "--fresh", action="store_true", help="compute the blast radius from both sides, read now"
    )
    format_option(review)
    approve = add(commands, "approve", "approving:approve", "sign a plan's list of objects with an SSH key")
    approve.add_argument("file", metavar="FILE", type=Path)
    signing = approve.add_mutually_exclusive_group(required=True)
    signing.add_argument(
        "--key",
        metavar="KEY",
        type=Path,
        help="private key, or the .pub of a key that an agent or a device holds",
    )
    signing.add_argument(
        "--print", action="store_true", help="sign nothing: write the text and print the command for others"
    )
    approve.add_argument(
        "--confirm", metavar="DIGEST", help="sign the plan of this digest without being asked"
    )
    format_option(approve)
    apply = add(commands, "apply", "changing:apply", "execute a plan after showing it")
    apply.add_argument("file", metavar="FILE", type=Path)
    apply.add_argument(
        "--confirm", metavar="DIGEST", help="confirm the plan of this digest without being asked"
    )
    format_option(apply)
    rebuild = add(
        commands,
        "rebuild",
        "rebuilding:rebuild",
        "headless recovery: assess, plan, confirm, execute, verify",
    )
    rebuild.add_argument("projects", nargs="*", metavar="PROJECT", help="only these (default: all)")
    rebuild.add_argument(
        "--anew", action="store_true", help="leave an interrupted run as it is and make a new plan"
    )
    rebuild.add_argument(
        "--map", metavar="FILE", type=Path, help="where the identity map goes (CSV; JSON beside it)"
    )
    rehearsing = rebuild.add_mutually_exclusive_group()
    rehearsing.add_argument(
        "--rehearse",
        action="store_true",
        help="run it in a stand-in of what was read first, and compare with what happens then",
    )
    rehearsing.add_argument(
        "--rehearse-only",
        action="store_true",
        help="run it in a stand-in only: 0 where everything is predicted to succeed, 1 otherwise",
    )
    format_option(rebuild)
    _add_restore(commands)


def _add_restore(commands: Commands) -> None:
    text = "templates from an archive and VMs from a capture, made again after a rebuild"
    restore = add(commands, "restore", "restoring:restore", text)
    restore.add_argument("projects", nargs="*", metavar="PROJECT", help="only these (default: all)")
    restore.add_argument(
        "--capture",
        metavar="FILE|T",
        help="what was there: a file, or when a capture was taken by itself: 12h",
    )
    restore.add_argument(
        "--archive",
        metavar="FOLDER",
        type=Path,
        help="one archive, or the folder that has them in it (default: the environment's)",
    )
    restore.add_argument(
        "--serve",
        metavar="ADDRESS",
        help="give its files to CloudStack from this machine's HOST[:PORT] (default: the environment's)",
    )
    restore.add_argument(
        "--freeze-zone", metavar="ZONE", help="let nobody else deploy or take addresses there meanwhile"
    )
    restore.add_argument("--thaw", metavar="ZONE", help="only open a zone that a restore has left frozen")
    restore.add_argument(
        "--map", metavar="FILE", type=Path, help="where the identity map goes (CSV; JSON beside it)"
    )
    format_option(restore)
