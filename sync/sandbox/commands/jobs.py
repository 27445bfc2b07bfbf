"""queryAsyncJobResult and listAsyncJobs."""

from __future__ import annotations

from typing import Any

from sync.sandbox.engine import Call, command
from sync.sandbox.errors import not_permitted, unknown_entity
from sync.sandbox.paging import Listing
from sync.sandbox.permissions import ACCOUNT_TYPES
from sync.sandbox.records import Job
from sync.sandbox.views import job_row


@command("queryAsyncJobResult", required=("jobid",))
def query_async_job_result(call: Call) -> dict[str, Any]:
    """One job: running (0), done (1) or failed (2)."""
    job = call.world.jobs.get(call.required("jobid"))
    if job is None:
        raise unknown_entity(call.command.name, "jobid", call.required("jobid"))
    account = call.world.find("accounts", job.account_id)
    if call.account.type != ACCOUNT_TYPES["Admin"] and not call.may_see(account):
        raise not_permitted(f"Account {call.account.name} may not see job {job.id}")
    return job_row(call.world, job)


@command("listAsyncJobs", entities={"domainid": "domains"}, answer="asyncjobs")
def list_async_jobs(call: Call) -> Listing:
    """The jobs that still run or wait."""
    waiting: list[Job] = [job for job in call.world.jobs.values() if job.status == 0]
    return Listing(call.scope().select(waiting), lambda one: job_row(call.world, one))
