"""Lists with metrics."""

from __future__ import annotations

from sync.sandbox.commands.machines import ENTITIES, found_machines
from sync.sandbox.commands.views_machines import vm_metrics_row
from sync.sandbox.engine import Call, command
from sync.sandbox.paging import Listing


@command("listVirtualMachinesMetrics", answer="virtualmachine", entities=ENTITIES)
def list_virtual_machines_metrics(call: Call) -> Listing:
    """VMs with their totals of CPU and memory."""
    return Listing(found_machines(call), lambda vm: vm_metrics_row(call.world, vm))
