"""Usage records: the usage server does not run, as on the recorded systems, so there are none."""

from __future__ import annotations

from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid
from sync.sandbox.paging import Listing


@command("listUsageRecords", required=("enddate", "startdate"), answer="usagerecord")
def list_usage_records(call: Call) -> Listing:
    """Nothing, for any period. Raises ApiError (431) for a period that ends before it starts."""
    if call.required("enddate") < call.required("startdate"):
        raise invalid("Incorrect Date Range. End Date is before Start Date.")
    return Listing((), dict)
