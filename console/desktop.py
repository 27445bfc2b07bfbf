"""A notification on the operator's desktop, where there is one to notify."""

from __future__ import annotations

import html
import shutil
import subprocess


def notify(title: str, body: str) -> bool:
    """Show a critical notification; False when there is no desktop, or it did not answer within 5 s.

    Blocks. The body is escaped: some desktops read a subset of HTML in it.
    """
    command = shutil.which("notify-send")
    if command is None:
        return False
    arguments = [command, "--app-name=abreast", "--urgency=critical", "--", title, html.escape(body)]
    try:
        finished = subprocess.run(arguments, capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return finished.returncode == 0
