"""Lists with metrics."""

from __future__ import annotations

from sync.sandbox.commands.machines import ENTITIES, found_machines
from sync.sandbox.commands.views_machines import pending_jobs, vm_metrics_row
from sync.sandbox.engine import Call, command
from sync.sandbox.paging import Listing


@command("listVirtualMachinesMetrics", answer="virtualmachine", entities=ENTITIES)
def list_virtual_machines_metrics(call: Call) -> Listing:
    """VMs with their totals of CPU and memory."""
    jobs = pending_jobs(call.world)
    return Listing(found_machines(call), lambda vm: vm_metrics_row(call.world, vm, jobs))
