"""The child of test_undelete_killed: recovers destroyed VMs and kills itself with SIGKILL at a given step.

Steps and task are those of `killed_rebuild`; there is no password among them.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from sync.cloudstack import Reader
from sync.credentials import CredentialFile
from sync.executor import Confirmation, ExecutionPolicy, Executor
from sync.model import Scope
from sync.plan import PlanRules, build
from sync.recoverable import recoverable, recoveries
from tests.fake_cloudstack import Limits
from tests.scenarios.killed_rebuild import KillingLedger, KillingWriter, Steps, Task, credentials_of, now


def undelete(task: Task) -> int:
    """What `abreast undelete` does, after finishing what was interrupted as `abreast rebuild` does."""
    steps, folder = Steps(task.kill_at), Path(task.folder)
    reader, writer = Reader(credentials_of(task)), KillingWriter(credentials_of(task))
    ledger = KillingLedger(f"sqlite:///{folder / 'ledger.sqlite'}", environment="drill", operator="ops")
    writer.steps = ledger.steps = steps
    executor = Executor(
        reader=reader,
        writer=writer,
        ledger=ledger.open(),
        vault=CredentialFile(folder / "passwords.jsonl"),
        limits=Limits(),
        policy=ExecutionPolicy.REBUILD,
        # The sandbox does at once what it is going to do at all: nothing has to settle for seconds.
        sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
    )
    stop = threading.Event()
    interrupted = ledger.interrupted_run()
    if interrupted is not None:
        word = Confirmation(interrupted.digest, "ops", now())
        executor.resume(interrupted.run_id, confirmed=word, on_event=lambda _: None, stop=stop)
    found = recoverable(reader.inventory(Scope("ROOT/ci"), limits=False, users=False), PlanRules())
    if found:
        capabilities = reader.capabilities()
        made = build(
            recoveries(found),
            environment="drill",
            root_id=capabilities.root_id,
            endpoint=capabilities.endpoint,
            author="ops",
            now=now(),
        )
        word = Confirmation(made.digest, "ops", now())
        executor.run(made, confirmed=word, on_event=lambda _: None, stop=stop)
    return steps.made


if __name__ == "__main__":
    print(undelete(Task(**json.loads(sys.stdin.read()))))
