"""Every guard between a partial, stale, wrong or hostile view and a deletion or a wrong change.

Each is text that stands exactly once in its file, what is left where it is removed, and the tests that have
to notice. A guard that is moved or reworded has to be moved here too, which tests/test_mutation.py says.
"""

from __future__ import annotations

from tests.mutation.approving import APPROVALS
from tests.mutation.containing import CONTAINMENT
from tests.mutation.deciding import COMPARISON, REPAIRS
from tests.mutation.executing import EXECUTION, RECORD, SENDING
from tests.mutation.guard import Guard
from tests.mutation.reading import COVERAGE, ENVIRONMENT
from tests.mutation.restoring import RESTORES
from tests.mutation.retiring import RETIREMENT

GUARDS: tuple[Guard, ...] = (
    *COVERAGE,
    *COMPARISON,
    *REPAIRS,
    *ENVIRONMENT,
    *EXECUTION,
    *APPROVALS,
    *SENDING,
    *CONTAINMENT,
    *RETIREMENT,
    *RESTORES,
    *RECORD,
)
