"""People with real SSH keys, an allowed_signers file, and plans for them to sign."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sync import plan as plans
from sync.approval import objects_file, write_objects
from sync.approval_rules import ApprovalRules
from sync.model import Action, ActionKind, Plan, Reversibility
from sync.ssh_signature import NAMESPACE
from tests.examples import ENDPOINT, NOON, ROOT_ID

AUTHOR = "jmartin@console-1"


def disabling(
    name: str = "rita", *, reversibility: Reversibility = Reversibility.UNDOABLE, reason: str = "left"
) -> Action:
    return Action(
        kind=ActionKind.DISABLE_USER,
        project="dune",
        target=f"ROOT/ci/dune:dune:{name}",
        target_id=f"id:ROOT/ci/dune:{name}",
        parameters={},
        precondition={"state": "enabled"},
        reason=reason,
        reversibility=reversibility,
        undo="Enable the user.",
    )


def plan_of(
    *actions: Action, environment: str = "production", author: str = AUTHOR, now: datetime = NOON
) -> Plan:
    made = actions or (disabling(),)
    return plans.build(
        made, environment=environment, root_id=ROOT_ID, endpoint=ENDPOINT, author=author, now=now
    )


@dataclass
class Signers:
    """A folder with a plan's file, keys, and the file of those who may sign."""

    folder: Path
    lines: list[str] = field(default_factory=list)

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan.json"

    @property
    def allowed(self) -> Path:
        return self.folder / "allowed_signers"

    def key(self, name: str, *options: str) -> Path:
        """A new private key without a passphrase; the public one is beside it."""
        path = self.folder / f"key-{name}"
        if not path.exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path), *options]
            subprocess.run(command, check=True)
        return path

    def public(self, name: str) -> str:
        return self.key(name).with_suffix(".pub").read_text().strip()

    def allow(self, principals: str, key: str = "", *, options: str = "") -> None:
        """One more line of allowed_signers; the key is called as the first principal where none is named."""
        public = self.public(key or principals.partition(",")[0])
        self.lines.append(f"{principals} {options} {public}".replace("  ", " "))
        self.allowed.write_text("\n".join(self.lines) + "\n")

    def rules(self, needed: int = 1, **required: int) -> ApprovalRules:
        """So many for everything, or by class of reversibility."""
        counts = {grade: required.get(grade.value, needed) for grade in Reversibility}
        return ApprovalRules(self.allowed, counts)

    def sign(self, plan: Plan, key: str, *, name: str = "", namespace: str = NAMESPACE) -> Path:
        """As an approver does who has nothing but ssh-keygen: sign the text, and rename what comes out."""
        text = write_objects(plan, self.plan_file)
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(self.key(key)), "-n", namespace, str(text)]
        subprocess.run(command, check=True)
        made = objects_file(self.plan_file).with_name(f"{objects_file(self.plan_file).name}.sig")
        return made.rename(self.folder / f"plan.json.{name or key}.sig")
