"""Approvals, with real ssh-keygen: what counts, and each ground for which a signature does not."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sync.approval import Standing, approve, assess, command_for, require, write_objects
from sync.approval_court import Verdict
from sync.approval_rules import ApprovalRules, login, refuse_unapproved
from sync.approval_text import facts_of, objects_text
from sync.errors import GuardError, UsageError
from sync.model import Plan, Reversibility
from sync.plan import digest_of
from tests.examples import NOON
from tests.signing import Signers, disabling, plan_of

SOON = NOON + timedelta(minutes=5)


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    """jmartin, who makes the plans, and alice and bob, who approve them."""
    made = Signers(tmp_path)
    for name in ("jmartin", "alice", "bob"):
        made.allow(f"{name}@example.org", name)
    return made


def stands(signers: Signers, plan: Plan, *, needed: int = 1, rules: ApprovalRules | None = None) -> Standing:
    return assess(plan, signers.plan_file, rules or signers.rules(needed), now=SOON)


def the_only(standing: Standing) -> tuple[Verdict, str]:
    (one,) = standing.signatures
    return one.verdict, one.reason


# --- what is signed -----------------------------------------------------------------------------------------


def test_the_text_names_environment_expiry_digest_and_every_object_with_its_id() -> None:
    plan = plan_of(disabling("rita"), disabling("omar", reason="Left in March."))
    text = objects_text(plan)
    assert "environment: production\n" in text
    assert "expires: 2017-07-28T13:00:00+00:00\n" in text
    assert f"digest: {plan.digest}\n" in text
    assert "1. disable user ROOT/ci/dune:dune:rita\n   id: id:ROOT/ci/dune:rita\n" in text
    assert "2. disable user ROOT/ci/dune:dune:omar\n   id: id:ROOT/ci/dune:omar\n" in text
    assert "reason: Left in March.\n" in text
    assert "rita loses access" in text
    assert facts_of(text)["digest"] == plan.digest
    assert text == objects_text(plan)


def test_a_name_from_outside_makes_no_line_and_turns_no_text() -> None:
    hostile = "x\n\nenvironment: qualification\n2. create domain ROOT/ci/innocent\u202e\\u{a}\x1b[2J"
    text = objects_text(plan_of(disabling(reason=hostile)))
    assert text.count("environment:") == 2
    assert sum(line.startswith("environment:") for line in text.splitlines()) == 1
    assert not any(line.startswith("2.") for line in text.splitlines())
    assert re.search(r"innocent\\u\{202e\}\\\\u\{a\}\\u\{1b\}\[2J$", text, re.MULTILINE)
    assert facts_of(text)["environment"] == "production"
    unseen = objects_text(plan_of(disabling(reason="a\u3164b\u034fc\ufe0fd\u200de")))
    assert "reason: a\\u{3164}b\\u{34f}c\\u{fe0f}d\\u{200d}e\n" in unseen


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, environment="qualification"),
        lambda plan: replace(plan, expires_at=plan.expires_at + timedelta(days=1)),
        lambda plan: replace(plan, endpoint="https://other.example.org"),
        lambda plan: replace(plan, root_id="another"),
        lambda plan: replace(plan, author="somebody@else"),
        lambda plan: replace(plan, actions=(replace(plan.actions[0], target_id="another"),)),
        lambda plan: replace(plan, actions=(replace(plan.actions[0], precondition={}),)),
        lambda plan: replace(plan, notes=("more",)),
    ],
)
def test_every_change_of_the_plan_changes_the_text(change: Callable[[Plan], Plan]) -> None:
    plan = plan_of()
    changed = change(plan)
    assert objects_text(replace(changed, digest=digest_of(changed))) != objects_text(plan)


# --- what counts --------------------------------------------------------------------------------------------


def test_a_signature_made_with_bare_ssh_keygen_counts(signers: Signers) -> None:
    plan = plan_of()
    signers.sign(plan, "alice")
    standing = stands(signers, plan)
    assert the_only(standing) == (Verdict.VALID, "")
    approved = require(standing)
    assert (approved.digest, approved.people) == (plan.digest, ("alice@example.org",))
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(signers.key("alice"))], capture_output=True, text=True, check=True
    )
    assert approved.keys == (shown.stdout.split()[1],)


def test_our_own_signature_verifies_with_bare_ssh_keygen(signers: Signers) -> None:
    plan = plan_of()
    path, signature = approve(plan, signers.plan_file, signers.key("alice"), rules=signers.rules(), now=SOON)
    assert path.name == "plan.json.alice@example.org.sig"
    assert signature.verdict is Verdict.VALID
    text = signers.folder / "plan.json.objects.txt"
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(signers.allowed), "-I", "alice@example.org"]
    done = subprocess.run(
        [*verify, "-n", "abreast-plan", "-s", str(path)], input=text.read_bytes(), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert b'Good "abreast-plan" signature for alice@example.org' in done.stdout
    assert text.read_text(encoding="utf-8") == objects_text(plan)
    assert require(stands(signers, plan)).people == ("alice@example.org",)


def test_the_printed_command_is_enough_for_an_approver(signers: Signers, tmp_path: Path) -> None:
    plan = plan_of()
    signers = Signers(tmp_path, signers.lines)
    write_objects(plan, signers.plan_file)
    home = tmp_path / "a home"
    (home / ".ssh").mkdir(parents=True)
    shutil.copy(signers.key("bob"), home / ".ssh" / "id_ed25519")
    subprocess.run(
        ["sh", "-c", command_for(signers.plan_file)],
        cwd=tmp_path, check=True, env={**os.environ, "HOME": str(home), "USER": "bob"},
    )  # fmt: skip
    assert require(stands(signers, plan)).people == ("bob@example.org",)


def test_the_printed_command_survives_a_file_name_with_blanks_and_quotes(signers: Signers) -> None:
    plan, file = plan_of(), signers.folder / "it's a plan.json"
    write_objects(plan, file)
    home = signers.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    shutil.copy(signers.key("bob"), home / ".ssh" / "id_ed25519")
    subprocess.run(
        ["sh", "-c", command_for(file)],
        cwd=signers.folder, check=True, env={**os.environ, "HOME": str(home), "USER": "bob"},
    )  # fmt: skip
    assert assess(plan, file, signers.rules(), now=SOON).people == ("bob@example.org",)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
        process.terminate()


def test_a_key_that_only_the_agent_has_signs_by_its_public_file(signers: Signers, agent: None) -> None:
    private = signers.key("alice")
    subprocess.run(["ssh-add", "-q", str(private)], check=True)
    private.unlink()
    plan = plan_of()
    approve(plan, signers.plan_file, private.with_suffix(".pub"), rules=signers.rules(), now=SOON)
    assert require(stands(signers, plan)).people == ("alice@example.org",)


def test_a_certificate_counts_for_its_own_principal(signers: Signers) -> None:
    plan = plan_of()
    authority, carol = signers.key("authority"), signers.key("carol")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "c", "-n", "carol@example.org", f"{carol}.pub"],
        check=True,
    )
    signers.allow("*@example.org", "authority", options="cert-authority")
    shutil.copy(carol, signers.folder / "key-carol-cert")
    signers.sign(plan, "carol", name="plain")
    text = signers.folder / "plan.json.objects.txt"
    certificate = signers.folder / "key-carol-cert.pub"
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", str(certificate), "-n", "abreast-plan", str(text)],
        check=True,
    )
    standing = stands(signers, plan)
    verdicts = {one.file: (one.verdict, one.principals) for one in standing.signatures}
    assert verdicts["plan.json.objects.txt.sig"] == (Verdict.VALID, ("carol@example.org",))
    assert verdicts["plan.json.plain.sig"] == (Verdict.NOT_ALLOWED, ())
    assert standing.people == ("carol@example.org",)


# --- what does not ------------------------------------------------------------------------------------------


def test_forged_other_text(signers: Signers) -> None:
    plan = plan_of()
    signature = signers.sign(plan_of(disabling("omar")), "alice")
    write_objects(plan, signers.plan_file)
    verdict, reason = the_only(stands(signers, plan))
    assert verdict is Verdict.FORGED
    assert "forged" in reason
    assert signature.exists()


def test_forged_someone_elses_key_pasted_in(signers: Signers) -> None:
    """bob's signature, in an envelope that says it is alice's."""
    plan = plan_of()
    path = signers.sign(plan, "bob")
    armour = path.read_text().splitlines()
    blob = base64.b64decode("".join(armour[1:-1]))
    keys = {name: base64.b64decode(signers.public(name).split()[1]) for name in ("alice", "bob")}
    assert keys["bob"] in blob
    forged = base64.b64encode(blob.replace(keys["bob"], keys["alice"])).decode()
    path.write_text("\n".join([armour[0], forged, armour[-1], ""]))
    verdict, reason = the_only(stands(signers, plan))
    assert (verdict, "forged" in reason) == (Verdict.FORGED, True)


def test_expired(signers: Signers) -> None:
    plan = plan_of()
    signers.sign(plan, "alice")
    assert require(
        assess(plan, signers.plan_file, signers.rules(), now=plan.expires_at - timedelta(seconds=1))
    )
    late = assess(plan, signers.plan_file, signers.rules(), now=plan.expires_at)
    verdict, reason = the_only(late)
    assert verdict is Verdict.EXPIRED
    assert "expired at 2017-07-28 13:00 UTC" in reason
    with pytest.raises(GuardError, match="expired"):
        require(late)
    for rules in (signers.rules(), None):
        with pytest.raises(GuardError, match="expired"):
            approve(plan, signers.plan_file, signers.key("bob"), rules=rules, now=plan.expires_at)


@pytest.mark.parametrize("author", ["jmartin@console-1", "JMartin@elsewhere", "jmartin"])
def test_self_signed(signers: Signers, author: str) -> None:
    plan = plan_of(author=author)
    signers.sign(plan, "jmartin")
    verdict, reason = the_only(stands(signers, plan))
    assert verdict is Verdict.SELF_SIGNED
    assert "nobody approves a plan of their own" in reason
    with pytest.raises(GuardError, match="would not count"):
        approve(plan, signers.plan_file, signers.key("jmartin"), rules=signers.rules(), now=SOON)


def test_self_signed_under_another_name_of_the_same_person(signers: Signers) -> None:
    signers.allow("boss@example.org,u4711", "boss")
    signers.allow("root@example.org", "boss")
    for author in ("u4711@console-1", "root@console-1"):
        plan = plan_of(author=author)
        signers.sign(plan, "boss")
        assert the_only(stands(signers, plan))[0] is Verdict.SELF_SIGNED


def test_for_another_environment(signers: Signers) -> None:
    signers.sign(plan_of(environment="qualification"), "alice")
    verdict, reason = the_only(stands(signers, plan_of(environment="production")))
    assert verdict is Verdict.OTHER_ENVIRONMENT
    assert reason == "it is for qualification, not for production"


def test_for_an_edited_plan(signers: Signers) -> None:
    old = plan_of(disabling("rita"))
    signers.sign(old, "alice")
    verdict, reason = the_only(stands(signers, plan_of(disabling("rita"), disabling("omar"))))
    assert verdict is Verdict.EDITED
    assert old.digest[:16] in reason
    assert "any change voids an approval" in reason


def test_key_not_allowed(signers: Signers) -> None:
    plan = plan_of()
    signers.sign(plan, "mallory")
    verdict, reason = the_only(stands(signers, plan))
    assert verdict is Verdict.NOT_ALLOWED
    assert re.fullmatch(r"its key SHA256:\S{43} is not among the allowed signers", reason)
    with pytest.raises(GuardError, match="not among the allowed signers"):
        approve(plan, signers.plan_file, signers.key("mallory"), rules=signers.rules(), now=SOON)
    assert not list(signers.folder.glob("plan.json.SHA256*"))


def test_a_key_for_a_pattern_of_names_is_nobody(signers: Signers) -> None:
    plan = plan_of()
    signers.allow("*", "anybody")
    signers.sign(plan, "anybody")
    verdict, reason = the_only(stands(signers, plan))
    assert (verdict, "pattern of names" in reason) == (Verdict.NOT_ALLOWED, True)


def test_a_key_allowed_for_git_only(signers: Signers) -> None:
    plan = plan_of()
    signers.allow("carol@example.org", "carol", options='namespaces="git"')
    signers.sign(plan, "carol")
    verdict, reason = the_only(stands(signers, plan))
    assert (verdict, "carol@example.org" in reason) == (Verdict.NOT_ALLOWED, True)


def test_a_key_whose_time_is_over(signers: Signers) -> None:
    plan = plan_of()
    signers.allow("carol@example.org", "carol", options='valid-before="20170101"')
    signers.allow("dora@example.org", "dora", options='valid-before="20180101"')
    signers.sign(plan, "carol")
    signers.sign(plan, "dora")
    found = {one.file: one.verdict for one in stands(signers, plan).signatures}
    assert found == {"plan.json.carol.sig": Verdict.KEY_EXPIRED, "plan.json.dora.sig": Verdict.VALID}


def test_made_for_another_purpose(signers: Signers) -> None:
    plan = plan_of()
    signers.sign(plan, "alice", namespace="git")
    verdict, reason = the_only(stands(signers, plan))
    assert (verdict, "“git”" in reason) == (Verdict.OTHER_PURPOSE, True)


def test_cut_off_anywhere(signers: Signers) -> None:
    plan = plan_of()
    path = signers.sign(plan, "alice")
    whole = path.read_bytes()
    for length in range(len(whole.rstrip())):
        path.write_bytes(whole[:length])
        verdict, reason = the_only(stands(signers, plan))
        assert (verdict, "cut off or damaged" in reason) == (Verdict.DAMAGED, True), length
    path.write_bytes(whole)
    assert the_only(stands(signers, plan))[0] is Verdict.VALID


def test_damaged_within(signers: Signers) -> None:
    """Whatever letter of the base64 is changed: never valid, and never a crash."""
    plan = plan_of()
    path = signers.sign(plan, "alice")
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for place in range(start, whole.rindex(b"\n-----END"), 7):
        changed = bytearray(whole)
        changed[place] = ord("A") if whole[place] != ord("A") else ord("B")
        path.write_bytes(changed)
        verdict, _ = the_only(stands(signers, plan))
        assert verdict in (
            Verdict.DAMAGED, Verdict.FORGED, Verdict.OTHER_PURPOSE, Verdict.NOT_ALLOWED
        ), place  # fmt: skip


def test_what_is_no_file_or_far_too_long_is_damaged(signers: Signers) -> None:
    plan = plan_of()
    (signers.folder / "plan.json.folder.sig").mkdir()
    (signers.folder / "plan.json.long.sig").write_bytes(b"x" * 1_000_000)
    (signers.folder / "plan.json.none.sig").touch()
    sound = signers.sign(plan, "alice")
    assert [one.verdict for one in stands(signers, plan).signatures].count(Verdict.VALID) == 1
    sound.write_bytes(sound.read_bytes() + b"\n" * 100_000)
    assert {one.verdict for one in stands(signers, plan).signatures} == {Verdict.DAMAGED}


# --- how many -----------------------------------------------------------------------------------------------


def test_two_of_three(signers: Signers) -> None:
    plan = plan_of(disabling(reversibility=Reversibility.IRREVERSIBLE))
    signers.allow("carol@example.org", "carol")
    rules = signers.rules(0, irreversible=2)
    signers.sign(plan, "alice")
    standing = stands(signers, plan, rules=rules)
    assert (standing.needed, standing.missing, standing.is_approved) == (2, 1, False)
    assert standing.may_sign == ("bob@example.org", "carol@example.org")
    with pytest.raises(GuardError) as caught:
        require(standing)
    said = str(caught.value)
    assert "needs the approval of 2 in production and has 1: alice@example.org." in said
    assert "Missing: 1 of bob@example.org, carol@example.org." in said
    assert "plan.json.objects.txt" in said
    assert "ssh-keygen -Y sign" in said
    signers.sign(plan, "carol")
    assert require(stands(signers, plan, rules=rules)).people == ("alice@example.org", "carol@example.org")


def test_the_gravest_action_decides(signers: Signers) -> None:
    rules = signers.rules(undoable=0, recreatable=1, recoverable=3, irreversible=2)
    grades = Reversibility
    for some, needed in (
        ([grades.UNDOABLE], 0),
        ([grades.UNDOABLE, grades.RECREATABLE], 1),
        ([grades.RECREATABLE, grades.IRREVERSIBLE], 2),
        ([grades.IRREVERSIBLE, grades.RECOVERABLE], 3),
    ):
        actions = [disabling(f"u{number}", reversibility=grade) for number, grade in enumerate(some)]
        assert stands(signers, plan_of(*actions), rules=rules).needed == needed


def test_one_person_counts_once_however_many_keys_and_names(signers: Signers) -> None:
    signers.allow("alice@example.org", "token")
    signers.allow("alice@home.example.net", "home")
    signers.allow("ally", "nickname")
    signers.allow("ally,alice@example.org", "link")
    signers.allow("shared@example.org", "bob")
    plan = plan_of()
    for key in ("alice", "token", "home", "nickname"):
        signers.sign(plan, key)
    standing = stands(signers, plan, needed=2)
    assert [one.verdict for one in standing.signatures] == [Verdict.VALID] * 4
    assert (standing.people, standing.missing) == (("alice@example.org",), 1)
    signers.sign(plan, "bob")
    standing = stands(signers, plan, needed=2)
    assert (len(standing.people), standing.missing, standing.may_sign) == (2, 0, ())


def test_a_copy_of_a_signature_is_not_a_second_one(signers: Signers) -> None:
    plan = plan_of()
    path = signers.sign(plan, "alice")
    shutil.copy(path, signers.folder / "plan.json.copy.sig")
    assert stands(signers, plan, needed=2).missing == 1


def test_too_few_people_to_ever_be_enough(signers: Signers) -> None:
    with pytest.raises(GuardError, match=r"only alice@example\.org, bob@example\.org could still sign"):
        require(stands(signers, plan_of(), needed=3))


def test_nothing_needed_nothing_asked(tmp_path: Path) -> None:
    standing = assess(plan_of(), tmp_path / "plan.json", ApprovalRules(), now=SOON)
    assert require(standing).people == ()


# --- guards refuse by default -------------------------------------------------------------------------------


def test_what_an_environment_that_says_nothing_asks_for() -> None:
    counts = {
        grade: ApprovalRules().needed_for(plan_of(disabling(reversibility=grade))) for grade in Reversibility
    }
    assert list(counts.values()) == [0, 1, 1, 2]


def broken(signers: Signers, how: str) -> ApprovalRules:
    rules, path = signers.rules(), signers.allowed
    if how == "unnamed":
        return replace(rules, allowed_signers=None)
    if how in ("missing", "folder"):
        path.unlink()
    if how == "folder":
        path.mkdir()
    contents = {
        "empty": b"# nobody yet\n\n",
        "garbage": path.read_bytes() + b"carol@example.org\n" if path.is_file() else b"",
        "key": b"carol@example.org ssh-ed25519 AAAAC3Nz!!\n" + (path.read_bytes() if path.is_file() else b""),
        "bytes": b"\xff\xfe\x00",
    }
    if how in contents:
        path.write_bytes(contents[how])
    if how == "writable":
        path.chmod(0o666)
    return rules


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("unnamed", "names no file of allowed_signers"),
        ("missing", "cannot be read: No such file"),
        ("folder", "cannot be read: Is a directory"),
        ("empty", "names nobody"),
        ("garbage", "cannot be used: line 4 is not"),
        ("key", "cannot be used: line 1 has no key"),
        ("bytes", "is not UTF-8"),
        ("writable", "can be changed by anybody: chmod o-w"),
    ],
)
def test_without_sound_allowed_signers_nothing_counts(signers: Signers, how: str, words: str) -> None:
    plan = plan_of()
    signers.sign(plan, "alice")
    rules = broken(signers, how)
    standing = stands(signers, plan, rules=rules)
    assert the_only(standing)[0] is Verdict.UNVERIFIABLE
    assert (standing.people, standing.may_sign) == ((), ())
    with pytest.raises(GuardError, match=re.escape(words)):
        require(standing)


def test_an_author_whom_nobody_knows_might_be_any_signer(signers: Signers) -> None:
    plan = plan_of(author="root@console-1")
    signers.sign(plan, "alice")
    standing = stands(signers, plan)
    assert the_only(standing)[0] is Verdict.UNVERIFIABLE
    with pytest.raises(GuardError, match="add the login root to the names on their line"):
        require(standing)


def test_without_ssh_keygen_nothing_counts(
    signers: Signers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = plan_of()
    signers.sign(plan, "alice")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    for call in (
        lambda: stands(signers, plan),
        lambda: approve(plan, signers.plan_file, signers.key("bob"), rules=None, now=SOON),
    ):
        with pytest.raises(GuardError, match="no ssh-keygen"):
            call()


def test_a_key_that_does_not_sign(signers: Signers, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="did not sign with"):
        approve(plan_of(), signers.plan_file, signers.folder / "no-such-key", rules=None, now=SOON)
    assert not list(signers.folder.glob("plan.json*"))


def test_where_nobody_is_known_the_key_gives_the_name(signers: Signers) -> None:
    plan = plan_of()
    path, signature = approve(plan, signers.plan_file, signers.key("alice"), rules=None, now=SOON)
    assert re.fullmatch(r"plan\.json\.SHA256%3A[A-Za-z0-9%+]{43,}\.sig", path.name)
    assert signature.verdict is Verdict.UNVERIFIABLE
    assert require(stands(signers, plan)).people == ("alice@example.org",)


@pytest.mark.parametrize(
    ("digest", "people", "words"),
    [
        (None, (), "needs the approval of 2 in production and has 0"),
        (None, ("alice", "bob"), "has 0"),
        ("0" * 64, ("alice", "bob"), "What was approved is not this plan"),
        ("its own", ("alice",), "has 1: alice"),
        ("its own", ("alice", "Alice"), "has 1"),
    ],
)
def test_the_executor_s_own_guard(digest: str | None, people: tuple[str, ...], words: str) -> None:
    plan = plan_of(disabling(reversibility=Reversibility.IRREVERSIBLE))
    given = plan.digest if digest == "its own" else digest
    with pytest.raises(GuardError, match=re.escape(words)):
        refuse_unapproved(plan, ApprovalRules(), digest=given, people=people)
    refuse_unapproved(plan, ApprovalRules(), digest=plan.digest, people=("alice", "bob"))


def test_logins() -> None:
    assert {login(name) for name in ("jmartin", "JMartin@console-1", "jmartin@corp.example.org@host")} == {
        "jmartin"
    }
