"""`abreast report`: the incident report, the letters and the first message."""

from __future__ import annotations

import argparse

from console.cli.idle_options import refuse_idle
from console.cli.output import plain, result, result_json, result_lines, say
from console.cli.record import moment
from console.cli.sessions import session_of
from console.reports import DEFAULT_SINCE, make, recordings, write
from sync.errors import EXIT_DONE, EXIT_UNKNOWN


def report(arguments: argparse.Namespace) -> int:
    """Markdown to stdout, or everything into a folder. Exit code 3 where a side could not be read now."""
    from console.losses import chosen_capture
    from sync.letters import template_from
    from sync.report_text import markdown

    if arguments.output is None:
        refuse_idle(arguments, ("template",), used=(), here="without -o, which writes the letters")
    else:
        refuse_idle(arguments, ("format",), used=(), here="with -o, which writes files")
    template = template_from(arguments.template)
    with session_of(arguments) as session:
        since = moment(arguments.since or DEFAULT_SINCE, session.clock())
        chosen = None if arguments.capture is None else chosen_capture(session, arguments.capture)
        evidence = recordings(session, arguments.evidence)
        made = make(session, since=since, on_step=say, chosen=chosen, evidence=evidence)
        if arguments.output is not None:
            for path in write(made, arguments.output, template):
                result(str(path))
        elif arguments.format == "json":
            result_json(plain(made))
        else:
            result_lines(markdown(made).rstrip())
        is_read = not any("was not read completely" in text for text in made.unsure)
        return EXIT_DONE if is_read else EXIT_UNKNOWN
