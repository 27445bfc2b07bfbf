"""How long VMs that were destroyed recoverably have left: the server's delay, and when each was destroyed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sync.cloudstack.capabilities import Capabilities
from sync.cloudstack.deletion_reading import moment
from sync.cloudstack.paging import Pager, Query
from sync.errors import SourceError

SETTING = "expunge.delay"


def expunging(
    capabilities: Capabilities, pager: Pager, *, now: datetime
) -> tuple[float | None, Mapping[str, datetime]]:
    """The delay in seconds, None where it cannot be read, and the time of destruction by VM id.

    The delay is the one configured; a server started before it was changed still has the old one in force.
    Events name the VM on 4.23 (recorded); where they do not, its time is not known. Raises SourceError.
    """
    delay = None
    if capabilities.has("listConfigurations"):
        query = Query("listConfigurations", "configuration", {"name": SETTING}, identity=("name",))
        values = [row.get("value") for row in pager.read(query).rows if row.get("name") == SETTING]
        delay = _seconds(values[0]) if values else None
    if delay is None or not capabilities.has("listEvents"):
        return delay, {}
    first = now - timedelta(seconds=delay, days=1)
    asked = {"listall": "true", "type": "VM.DESTROY", "startdate": first.strftime("%Y-%m-%d")}
    found: dict[str, datetime] = {}
    for row in pager.read(Query("listEvents", "event", asked, note="VM.DESTROY")).rows:
        if row.get("state") == "Completed" and row.get("resourceid"):
            at = moment(row.get("created"))
            vm_id = str(row["resourceid"])
            if at is not None:
                found[vm_id] = max(at, found.get(vm_id, at))
    return delay, found


def _seconds(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        raise SourceError(f"The server's {SETTING} is {text!r}, which is no number of seconds.") from None
