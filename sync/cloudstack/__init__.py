"""The one way to CloudStack: a Reader that proves what it read, a Writer that sends only what rebuilds, a
Fence that sends only what contains, a Retirer that sends one step of an approved retirement.

The only package that imports `cs` (PyPI `cs`, and `requests` underneath it), and it does so when a Reader or
Writer is made, not before: the first frame on screen does not wait for it.
"""

from sync.cloudstack.capabilities import Capabilities
from sync.cloudstack.fence import Fence
from sync.cloudstack.reader import Reader
from sync.cloudstack.retirer import Permit, Retirer
from sync.cloudstack.values import Credentials, JobState, Submission
from sync.cloudstack.writer import Writer

__all__ = [
    "Capabilities",
    "Credentials",
    "Fence",
    "JobState",
    "Permit",
    "Reader",
    "Retirer",
    "Submission",
    "Writer",
]
