"""Guards of approvals and of the blast radius."""

from __future__ import annotations

from tests.mutation.guard import guard

EXECUTOR = "tests/test_executor.py"
APPROVAL = "tests/test_approval.py"
BLAST = "tests/test_blast.py"

APPROVALS = (
    guard(
        "approvals: as many as the environment asks for",
        "sync/approval_rules.py",
        "if len(names) < needed:",
        "if False:",
        APPROVAL,
        EXECUTOR,
    ),
    guard(
        "approvals: of this very plan",
        "sync/approval_rules.py",
        "if digest is not None and digest != plan.digest:",
        "if False:",
        APPROVAL,
        EXECUTOR,
    ),
    guard(
        "approvals: one person counts once",
        "sync/approval_rules.py",
        "sorted({name.casefold(): name for name in people}.values())",
        "sorted(people)",
        APPROVAL,
        EXECUTOR,
    ),
    guard(
        "approvals: the gravest action decides",
        "sync/approval_rules.py",
        "return max((self.required[grade] for grade in self.grades(plan)), default=0)",
        "return min((self.required[grade] for grade in self.grades(plan)), default=0)",
        APPROVAL,
    ),
    guard(
        "approvals: one's own does not count",
        "sync/approval_court.py",
        "if self.is_author(principals):",
        "if False:",
        APPROVAL,
    ),
    guard(
        "approvals: expire with the plan",
        "sync/approval_court.py",
        "if self._now >= self._matter.expires_at:",
        "if False:",
        APPROVAL,
    ),
    guard(
        "approvals: a signature made for another purpose",
        "sync/approval_court.py",
        "if envelope.namespace != NAMESPACE:",
        "if False:",
        APPROVAL,
    ),
    guard(
        "approvals: a signature over another text",
        "sync/approval_court.py",
        "if not self._verifier.fits(self._text, content):",
        "if False:",
        APPROVAL,
    ),
    guard(
        "approvals: a key that nobody allowed",
        "sync/approval_court.py",
        "        if not principals:\n            return refused",
        "        if False:\n            return refused",
        APPROVAL,
    ),
    guard(
        "approvals: ssh-keygen verifies for the very person",
        "sync/approval_court.py",
        "if not any(self._verifier.verify(self._text, content, name) for name in principals):",
        "if False:",
        APPROVAL,
    ),
    guard(
        "approvals: allowed signers that anybody may change",
        "sync/approval_court.py",
        'if os.name == "posix" and mode & stat.S_IWOTH:',
        "if False:",
        APPROVAL,
    ),
    guard(
        "approvals: an author who cannot be told",
        "sync/approval_court.py",
        "if author is not None and not any(self.is_author(names) for names in self.groups):",
        "if False:",
        APPROVAL,
    ),
    guard(
        "approvals: no signature is written that would not count",
        "sync/approval.py",
        "if judged.verdict is not Verdict.VALID:\n            raise",
        "if False:\n            raise",
        APPROVAL,
    ),
    guard(
        "blast radius: refused where CloudStack was not read whole",
        "sync/blast.py",
        "        if not coverage.is_complete:\n",
        "        if False:\n",
        BLAST,
    ),
    guard(
        "blast radius: offerings that could not be read refuse what is about a domain",
        "sync/blast.py",
        "    if isinstance(offerings, SourceError):\n        raise",
        "    if isinstance(offerings, SourceError):\n        return radius\n        raise",
        BLAST,
    ),
    guard(
        "blast radius: every list with its own proof",
        "sync/blast.py",
        "        if missing:\n            raise _uncomputable(",
        "        if False:\n            raise _uncomputable(",
        BLAST,
    ),
    guard(
        "blast radius: nothing outside of what was read",
        "sync/blast.py",
        "        if not covered:\n",
        "        if False:\n",
        BLAST,
    ),
)
