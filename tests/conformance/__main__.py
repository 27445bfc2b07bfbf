"""`python -m tests.conformance FOLDER`: replay recordings on the sandbox and count what differs."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.conformance.allowed import allowed
from tests.conformance.recording import releases
from tests.conformance.replay import InProcess, Replay, Result


def main(arguments: list[str] | None = None) -> int:
    """Replay, print a line a file and a total; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder a release, each with its manifest.json")
    parser.add_argument(
        "--file", action="append", help="4.23/identity: show only this; files after it are not run"
    )
    parser.add_argument(
        "--show", type=int, default=0, metavar="N", help="print the first N differing exchanges"
    )
    chosen = parser.parse_args(arguments)
    shown = total = differing = permitted = 0
    try:
        recordings = releases(chosen.folder)
    except (OSError, ValueError, KeyError) as problem:
        parser.error(f"{chosen.folder} cannot be replayed: {problem}")
    for recording in recordings:
        wanted = [
            one.split("/", 1)[1] for one in chosen.file or () if one.startswith(f"{recording.release}/")
        ]
        if chosen.file and not wanted:
            continue
        order = recording.order
        if wanted:
            order = order[: max(order.index(one) for one in wanted) + 1]
        replay = Replay(recording, InProcess(recording))
        for file in order:
            quiet = bool(wanted) and file not in wanted
            began = time.monotonic()
            count = bad = fine = 0
            for result in replay.run((file,)):
                count += 1
                if not result.differences:
                    continue
                if allowed(result):
                    fine += 1
                    continue
                bad += 1
                if shown < chosen.show and not quiet:
                    shown += 1
                    _print(result)
            taken = time.monotonic() - began
            print(
                f"{recording.release}/{file}: {count} exchanges, {bad} differ, {fine} allowed ({taken:.1f} s)"
            )
            total, differing, permitted = total + count, differing + bad, permitted + fine
    print(f"{total} exchanges, {differing} differ, {permitted} allowed")
    return 1 if differing else 0


def _print(result: Result) -> None:
    exchange = result.exchange
    params = {key: value for key, value in exchange.params.items() if key not in ("command", "response")}
    print(
        f"--- {exchange.name} {exchange.caller}: {exchange.params['command']} {params}, "
        f"waited {result.waited} s"
    )
    for line in result.differences[:40]:
        print(f"    {line}")


if __name__ == "__main__":
    sys.exit(main())
