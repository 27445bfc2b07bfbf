"""Threads that nobody has to wait for: a reading that hangs must not keep the shell from coming back.

Where such a reading works in a pool, it is one of `sync.reading_pool`: Python joins the threads of its own.
What changes something is not run here: its thread ends its current call and records it first.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable


async def in_daemon_thread(work: Callable[[], object], *, name: str) -> None:
    """Run `work` in a thread of its own and wait for it here; the end of the process does not wait."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, name=name, daemon=True).start()
    await ended.wait()
