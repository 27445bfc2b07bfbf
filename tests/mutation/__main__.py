"""The mutation run over the guards: `python -m tests.mutation [WORDS] [--jobs N]`.

Prints a line a guard with the test that noticed its removal, and a last line `N guards, M survived`. WORDS
choose the guards whose names have one of them. Exit code 0 when none survived.
"""

from __future__ import annotations

import argparse
import queue
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.mutation.guard import Guard
from tests.mutation.guards import GUARDS
from tests.mutation.running import Result, Tree


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("words", nargs="*", help="only guards whose names have one of these")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once, each in a tree of its own")
    asked = parser.parse_args(arguments)
    chosen = [one for one in GUARDS if not asked.words or any(word in one.name for word in asked.words)]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="abreast-mutation-") as folder:
        results = run(chosen, Path(folder), jobs=asked.jobs)
    survived = sum(one.has_survived for one in results)
    print(f"in {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(f"{len(results)} guards, {survived} survived")
    return int(survived > 0)


def run(guards: Sequence[Guard], folder: Path, *, jobs: int) -> list[Result]:
    """Each guard removed once; the tests that noticed it pass where all guards are in place."""
    trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()

    def one(guard: Guard) -> Result:
        tree = trees.get()
        try:
            result = tree.without(guard)
        finally:
            trees.put(tree)
        print(result.line, flush=True)
        return result

    with ExitStack() as stack:
        for number in range(jobs):
            trees.put(stack.enter_context(Tree(folder / str(number))))
        with ThreadPoolExecutor(jobs, thread_name_prefix="mutation") as threads:
            results = list(threads.map(one, guards))
        failing = trees.get().not_passing(results)
    for test in sorted(failing):
        print(f"shows nothing: {test} fails with all guards in place")
    return [
        Result(one.guard, why_not="its test fails without it") if one.noticed_by in failing else one
        for one in results
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
