"""The command line: what each command prints where, its exit codes, and how it ends when told to."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import build_parser, main
from console.cli import output
from console.cli.reading import read_both
from console.cli.screens import _capture
from console.parsing import Lazy
from console.session import Session
from sync.capture import head_of, parts_of
from sync.capture_codec import as_text, encode
from sync.capture_file import read_file
from sync.capture_store import CaptureStore
from sync.errors import CaptureError
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from sync.settings import load
from tests.cli import NETWORK, ROOT, Access, Configured, configure
from tests.executions import execution

COMMANDS = (
    "watch", "recover", "drill", "sandbox", "check", "inventory", "capture", "ledger", "plan", "review",
    "apply", "rebuild", "replay",
)  # fmt: skip
PATIENCE = 60.0
pytestmark = pytest.mark.xdist_group("cli")
"""One lab for all, which the tests change in their order."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    error: str


class Lab:
    """The drill's world before the incident, configured; two projects are changed behind abreast's back."""

    def __init__(self, sandbox: SandboxProcess, configured: Configured) -> None:
        self.sandbox = sandbox
        self.configured = configured


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    write_database(blueprint_for("drill"), folder / "ci.sqlite")
    with SandboxProcess.start(world="drill", speed=50, service_times=False) as sandbox:
        access = Access(sandbox.ready.url, sandbox.ready.key, sandbox.ready.secret)
        yield Lab(sandbox, configure(folder, access, f"sqlite:///{folder / 'ci.sqlite'}", more=NETWORK))


Run = Callable[..., Ran]


@pytest.fixture
def run(lab: Lab, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in this process, on the lab."""
    monkeypatch.setenv("XDG_DATA_HOME", str(lab.configured.folder / "data"))

    def call(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        code = main(["--config", str(lab.configured.config), *arguments])
        return Ran(code, *capsys.readouterr())

    return call


@pytest.fixture
def plan_file(run: Run, tmp_path: Path) -> Path:
    file = tmp_path / "plan.json"
    assert run("plan", "-o", str(file)).code == 0
    return file


# --- what there is ------------------------------------------------------------------------------------------


def test_the_help_names_every_command_and_exit_code(capsys: Any) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^    {command} ", said, re.MULTILINE), command
    assert "64 usage, 78 configuration, 130 stopped" in " ".join(said.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_takes_the_common_options_on_either_side(
    command: str, capsys: Any
) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert "--environment NAME" in said
    assert "--config FILE" in said
    required = {
        "inventory": "actual",
        "ledger": "show",
        "capture": "f",
        "replay": "f",
        "review": "f",
        "apply": "f",
    }
    needed = [required[command]] if command in required else []
    for arguments in (
        ["--environment", "e", "--config", "f", command, *needed],
        [command, *needed, "--environment", "e", "--config", "f"],
        ["--environment", "e", command, *needed, "--config", "f"],
    ):
        found = build_parser().parse_args(arguments)
        assert (found.environment, found.config) == ("e", Path("f"))


def test_every_command_runs_something_that_is_there() -> None:
    """Commands are named, not imported: a name that leads nowhere is found here, not by its user."""

    def commands(parser: argparse.ArgumentParser) -> Iterator[Lazy]:
        named = parser.get_default("command")
        if named is not None:
            yield named
        for action in parser._actions:
            for nested in action.choices.values() if isinstance(action.choices, dict) else ():
                yield from commands(nested)

    found = list(commands(build_parser()))
    assert len(found) > 25
    for one in found:
        assert one.function.__annotations__["return"] == "int", one.path


def test_the_version(capsys: Any) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"abreast \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [((), "abreast check"), (("recover",), "abreast rebuild"), (("watch",), "abreast watch --headless")],
)
def test_a_screen_without_a_terminal_is_wrong_usage(
    arguments: tuple[str, ...], instead: str, run: Run
) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (64, "")
    assert f"`{' '.join(('abreast', *arguments))}` needs a terminal." in ran.error
    assert f"`{instead}`" in ran.error


FIRST_FRAME = """
import sys
from console.app import ConsoleApp
from console.__main__ import main
def at_the_first_frame(app):
    heavy = {"sqlalchemy", "alembic", "cs", "requests", "httpx", "aiohttp", "sqlite3"}
    with open(sys.argv[1], "w") as file:
        print(sorted(heavy & set(sys.modules)), file=file)
    app.exit(7)
ConsoleApp._begin = at_the_first_frame
sys.exit(main(["--config", sys.argv[2]]))
"""


def test_nothing_heavy_is_imported_before_the_first_frame(tmp_path: Path, lab: Lab) -> None:
    """By the real command on a real configuration in a terminal, not by the App alone."""
    said = tmp_path / "said"
    child, terminal = pty.fork()
    if child == 0:
        arguments = [sys.executable, "-c", FIRST_FRAME, str(said), str(lab.configured.config)]
        os.execve(sys.executable, arguments, lab.configured.variables | {"TERM": "xterm-256color"})
    with contextlib.suppress(OSError):  # Linux ends a terminal that nobody has open any more with EIO
        while os.read(terminal, 65536):
            pass
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert said.read_text() == "[]\n"


# --- reading ------------------------------------------------------------------------------------------------


def test_check_as_text(run: Run) -> None:
    ran = run("check")
    assert ran.code == 1
    status, headline, *rest = ran.out.splitlines()
    assert status == "DRIFT lab: 1 unexpected, 1 differs, 39 in sync"
    assert headline
    assert "CI database: complete" in rest
    assert "CloudStack: complete" in rest
    assert any(re.match(r"\? unexpected +zephyr ", line) for line in rest)
    assert any(re.match(r"~ differs +dune ", line) for line in rest)


def test_a_reader_that_went_away_does_not_change_the_verdict(lab: Lab) -> None:
    """As `abreast check | head -1`."""
    process = lab.configured.start("check")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(PATIENCE) == 1
    assert process.stderr is not None
    with process.stderr as said:
        assert said.read() == ""


def test_the_next_command_has_the_options_of_this_one(run: Run, lab: Lab, tmp_path: Path) -> None:
    ran = run("plan", "--environment", "lab", "-o", str(tmp_path / "plan.json"))
    options = f"--environment lab --config {lab.configured.config}"
    assert f"Next: abreast review {tmp_path / 'plan.json'} {options}\n" in ran.error


def test_a_plan_with_nothing_in_it_says_why(run: Run, tmp_path: Path) -> None:
    file = str(tmp_path / "plan.json")
    ran = run("plan", "zephyr", "-o", file)
    assert ran.code == 0
    assert f"0 actions written to {file}." in ran.error
    assert "Nothing of it can be repaired: zephyr is unexpected.\n" in ran.error
    assert "approvals: none needed\n" in run("review", file).out


def test_check_as_json(run: Run) -> None:
    ran = run("check", "--format", "json")
    found = json.loads(ran.out)
    assert (ran.code, found["exit_code"], found["status"]) == (1, 1, "drift")
    assert found["environment"] == "lab"
    assert found["counts"]["in sync"] == 39
    assert set(found["counts"]) >= {
        "missing",
        "unexpected",
        "differs",
        "hollow",
        "deleting",
        "orphaned",
        "unknown",
    }
    assert {side: one["state"] for side, one in found["coverage"].items()} == {
        "desired": "complete",
        "actual": "complete",
    }
    assert ran.error == ""


def test_both_inventories_are_json_lines(run: Run) -> None:
    desired = [json.loads(line) for line in run("inventory", "desired").out.splitlines()]
    assert (desired[0]["kind"], desired[0]["coverage"]["state"]) == ("inventory", "complete")
    assert [one["name"] for one in desired[1:]].count("dune") == 1
    assert len(desired) == 41
    actual = [json.loads(line) for line in run("inventory", "actual").out.splitlines()]
    kinds = {one["kind"] for one in actual}
    assert kinds >= {"inventory", "domain", "account", "vm", "volume", "snapshot", "template", "network"}
    assert "ROOT/ci/dune" in {one.get("path") for one in actual}


def test_a_capture_has_both_sides_and_no_secret(run: Run, tmp_path: Path, lab: Lab) -> None:
    file = tmp_path / "lab.capture"
    ran = run("capture", str(file))
    assert (ran.code, ran.error) == (0, "")
    assert re.match(r"lab at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: 40 projects, 4\d domains, ", ran.out)
    assert "CloudStack: complete" in ran.out and str(file) in ran.out
    found = read_file(file)
    assert found.environment == "lab"
    assert len(found.desired.projects) == 40
    disk = next(one for one in found.actual.volumes if one.details["type"] == "ROOT")
    assert disk.size and disk.details["storage"] and disk.details["path"] and disk.details["virtualmachineid"]
    vm = next(one for one in found.actual.vms if one.state == "Running")
    assert vm.details.keys() >= {"instancename", "serviceofferingname", "templateid", "hostname"}
    assert vm.nics[0].address in vm.addresses and vm.nics[0].network_id
    assert_without_secrets(file, lab)
    again = run("capture", str(file))
    assert (again.code, again.out) == (64, "")
    assert "never written over" in again.error


def assert_without_secrets(file: Path, lab: Lab) -> None:
    """Nothing of the keys, passwords and tokens that the sandbox knows, nor a field named like one."""
    ready = lab.sandbox.ready
    with CaptureStore(file, read_only=True) as store:
        capture = store.read(store.at().id)
    written = as_text(head_of(capture)) + b"".join(
        as_text(encode(type(part), part)) for part in parts_of(capture).values()
    )
    for secret in (ready.key, ready.secret, ready.token):
        assert secret.encode() not in written
        assert secret.encode() not in file.read_bytes()
    names = set(re.findall(rb'"([A-Za-z_]+)":', written))
    assert b"instancename" in names, "the fields' names were found"
    forbidden = re.compile(rb"password|secret|api_?key|token|private|userdata", re.IGNORECASE)
    assert [name for name in names if forbidden.search(name)] == []


def test_a_drill_from_a_capture_compares_as_the_capture_did(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "lab.capture"
    assert run("capture", str(file)).code == 0
    before = json.loads(run("check", "--format", "json").out)
    ran = run("drill", "--from", str(file), "--script")
    after = json.loads(ran.out)
    assert "seeding a practice cloud of release 4.23 as lab was" in ran.error
    assert (ran.code, after["counts"], after["left_out"]) == (before["exit_code"], before["counts"], [])
    assert after["environment"] == "drill"


def test_a_sandbox_from_a_capture_serves_it_and_its_ci_database(run: Run, tmp_path: Path) -> None:
    file, state = tmp_path / "lab.capture", tmp_path / "state.json"
    assert run("capture", str(file)).code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "sandbox", "--world", str(file), "--state", str(state)],
        cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for(process, "ctrl+c ends it")
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, error) == (0, "")
    assert f"# CI database: sqlite:///{state}.ci.sqlite" in out
    with contextlib.closing(sqlite3.connect(f"{state}.ci.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM projects").fetchone() == (40,)
    found = read_file(file)
    text = state.read_text()
    assert all(domain.id in text for domain in found.actual.domains)


def test_a_partial_reading_is_captured_as_partial(run: Run, tmp_path: Path, lab: Lab) -> None:
    lab.sandbox.control.add_fault("wrong_count", command="listSnapshots", count=20)
    try:
        ran = run("capture", str(tmp_path / "lab.capture"), "--format", "json")
    finally:
        lab.sandbox.control.clear_faults()
    assert ran.code == 3
    assert "captured in part" in ran.error
    said = json.loads(ran.out)
    assert said["desired"]["state"] == "complete"
    assert said["actual"]["state"] == "partial"
    found = read_file(tmp_path / "lab.capture")
    assert found.actual.coverage.state.value == "partial"
    assert "listSnapshots" in found.actual.coverage.why
    assert found.actual.vms


# --- planning and applying ----------------------------------------------------------------------------------


def test_a_plan_to_stdout_is_json_and_nothing_else(run: Run) -> None:
    ran = run("plan", "dune")
    assert ran.code == 0
    made = json.loads(ran.out)
    assert {action["project"] for action in made["actions"]} == {"dune"}
    assert re.fullmatch(r"(sha256:)?[0-9a-f]{64}", made["digest"])
    assert not any("delete" in action["kind"] for action in made["actions"])


def test_a_review_shows_every_action(run: Run, plan_file: Path) -> None:
    made = json.loads(plan_file.read_text(encoding="utf-8"))
    ran = run("review", str(plan_file))
    assert ran.code == 0
    assert made["digest"] in ran.out
    assert "None of them deletes anything" in ran.out
    for action in made["actions"]:
        assert action["target"] in ran.out
    enabled = [line for line in ran.out.splitlines() if line.startswith("enable user")]
    assert enabled and all("disabled → enabled" in line for line in enabled)
    as_json = json.loads(run("review", str(plan_file), "--format", "json").out)
    assert sum(as_json["totals"].values()) == len(made["actions"])


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("not JSON", 64, "is not a plan: it is not JSON"),
        ("[]", 64, "plan"),
        ("{}", 64, "plan"),
        (None, 64, "cannot be read"),
    ],
)
def test_a_file_that_is_no_plan(run: Run, tmp_path: Path, content: str | None, code: int, words: str) -> None:
    file = tmp_path / "plan.json"
    if content is not None:
        file.write_text(content)
    for command in ("review", "apply"):
        ran = run(command, str(file), typed="lab\n")
        assert (ran.code, ran.out) == (code, "")
        assert words in ran.error


def test_a_plan_that_was_changed_is_refused(run: Run, plan_file: Path) -> None:
    made = json.loads(plan_file.read_text(encoding="utf-8"))
    made["actions"][0]["target"] = "ROOT/ci/zephyr"
    plan_file.write_text(json.dumps(made))
    for command in ("review", "apply"):
        ran = run(command, str(plan_file), typed="lab\n")
        assert (ran.code, ran.out) == (1, "")
        assert "digest" in ran.error


def test_apply_does_nothing_without_the_word(run: Run, plan_file: Path, lab: Lab) -> None:
    before = len(changing(lab))
    for typed in ("", "yes\n", "LAB\n"):
        ran = run("apply", str(plan_file), typed=typed)
        assert ran.code == 1
        assert "Not confirmed: nothing was done." in ran.error
    ran = run("apply", str(plan_file), "--confirm", "0" * 64)
    assert ran.code == 1
    assert "The digest given is not that of this plan" in ran.error
    assert len(changing(lab)) == before


def test_apply_in_another_environment_is_refused(run: Run, plan_file: Path, lab: Lab) -> None:
    before = len(changing(lab))
    text = lab.configured.config.read_text()
    lab.configured.config.write_text(text.replace("environments.lab", "environments.other"))
    try:
        ran = run("apply", str(plan_file), typed="other\n")
    finally:
        lab.configured.config.write_text(text)
    assert ran.code == 1, ran.error
    assert "lab" in ran.error
    assert len(changing(lab)) == before


def test_rebuild_does_nothing_without_the_word(run: Run, lab: Lab) -> None:
    before = len(changing(lab))
    ran = run("rebuild", "dune", typed="no\n")
    assert ran.code == 1
    assert "in LAB. Nothing is deleted." in ran.error
    assert "Type lab to run them" in ran.error
    assert "Not confirmed: nothing was done." in ran.error
    assert len(changing(lab)) == before


def test_rebuild_neither_finishes_nor_asks_about_what_another_process_executes(run: Run, lab: Lab) -> None:
    before = len(changing(lab))
    with execution(lab.configured.ledger, environment="lab") as other:
        other.begin()
        ran = run("rebuild", "dune", typed="lab\n")
        assert ran.code == 1
        assert f"Run run-1 is running, it was not interrupted: anna@desk, process {other.pid}" in ran.error
        assert "Type lab" not in ran.error and "resolved by reading" not in ran.error
        other.end("FINISHED")
    ran = run("rebuild", "dune", typed="no\n")
    assert "run-1" not in ran.error and "Type lab to run them" in ran.error
    assert len(changing(lab)) == before


def test_without_a_key_for_writing_nothing_is_changed(run: Run, plan_file: Path, lab: Lab) -> None:
    before = len(changing(lab))
    text = lab.configured.config.read_text()
    lab.configured.config.write_text(text.replace('write = "lab"\n', ""))
    try:
        for arguments in (("apply", str(plan_file)), ("rebuild",)):
            ran = run(*arguments, typed="lab\n")
            assert ran.code == 1
            assert "read-only: it has no credentials for writing" in ran.error
            assert "Name them as `write` under [environments.lab.cloudstack]" in ran.error
    finally:
        lab.configured.config.write_text(text)
    assert len(changing(lab)) == before


def test_a_plan_applied_and_shown_in_the_ledger(run: Run, plan_file: Path, lab: Lab) -> None:
    """Last of those that plan: afterwards the lab is in sync but for the stranger."""
    digest = json.loads(plan_file.read_text(encoding="utf-8"))["digest"]
    ran = run("apply", str(plan_file), "--confirm", digest, "--format", "json")
    assert ran.code == 0, ran.error
    report = json.loads(ran.out)
    assert set(report["actions"]) >= {"succeeded"}
    assert {one["outcome"] for one in report["results"]} == {"succeeded"}
    again = run("apply", str(plan_file), "--confirm", digest)
    assert again.code == 1
    assert again.error.count("is so already") == len(report["results"])
    assert json.loads(run("plan").out)["actions"] == []
    assert "There is nothing to rebuild." in run("rebuild", "dune").error

    shown = [json.loads(line) for line in run("ledger", "show", "--format", "json").out.splitlines()]
    assert {entry["run_id"] for entry in shown} >= {report["run"]}
    only = run("ledger", "show", "--run", report["run"]).out.splitlines()
    assert only[0].split()[:2] == ["seq", "at"]
    assert len(only) < len(shown) + 1
    assert len(run("ledger", "show", "--limit", "2").out.splitlines()) == 3


def changing(lab: Lab) -> list[dict[str, Any]]:
    return [
        entry
        for entry in lab.sandbox.control.log()
        if not entry["command"].startswith(("list", "query", "get"))
    ]


# --- output -------------------------------------------------------------------------------------------------


def test_control_characters_never_reach_the_terminal(capsys: Any) -> None:
    output.result("a\x1b[31mred\x07\x9b\ttab\nnext")
    assert capsys.readouterr().out == "a\\u{1b}[31mred\\u{7}\\u{9b}\\u{9}tab\\u{a}next\n"
    output.result("gpj.\u202eexe 👩\u200d💻")
    assert capsys.readouterr().out == "gpj.\\u{202e}exe 👩\u200d💻\n", "what joins an emoji is left in it"
    output.result("du\u200bne \ufeffdune")
    assert capsys.readouterr().out == "du\\u{200b}ne \\u{feff}dune\n", "two names look like two"


def test_json_has_every_character_of_a_name_and_none_that_a_terminal_obeys(capsys: Any) -> None:
    name = "\x9b[2J\x1b\u202e\ud800\u2028é\u200b\U000e0041"
    for indent in (None, 2):
        output.result_json({"name": name}, indent=indent)
        printed = capsys.readouterr().out
        assert json.loads(printed) == {"name": name}
        assert printed.replace("\n", "").isprintable()


@pytest.mark.parametrize(("command", "code"), [(("inventory", "actual"), 0), (("plan",), 3)])
def test_a_reader_that_goes_away_is_no_traceback(lab: Lab, command: tuple[str, ...], code: int) -> None:
    """As `abreast inventory actual | head`: it was read whole. A plan of which the end is missing is none."""
    process = lab.configured.start(*command)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stdout = None
    _, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, error) == (code, "")


# --- told to end --------------------------------------------------------------------------------------------


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it ended without {text!r}")


@pytest.mark.parametrize(
    ("when", "number"),
    [
        ("starting the practice cloud", signal.SIGTERM),
        ("the naive sync deletes", signal.SIGTERM),
        ("the naive sync deletes", signal.SIGHUP),
        ("succeeded", signal.SIGTERM),
        ("succeeded", signal.SIGINT),
    ],
)
def test_a_drill_that_is_told_to_end_leaves_nothing_behind(
    tmp_path: Path, when: str, number: signal.Signals
) -> None:
    """Whether the cloud starts, the incident happens, or the rebuild runs."""
    before = sandboxes()
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "drill", "--script"],
        cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for(process, when)
    process.send_signal(number)
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert error.splitlines()[-1] == "abreast: stopped."
    assert "Traceback" not in error
    assert out == ""
    assert list(tmp_path.iterdir()) == []
    deadline = time.monotonic() + PATIENCE
    while sandboxes(tmp_path) - before:
        assert time.monotonic() < deadline, "its sandbox still runs"
        time.sleep(0.02)


def sandboxes(folder: Path | None = None) -> set[int]:
    """Process ids of sandboxes, those with this TMPDIR where it is given."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_sandbox = b"sync.sandbox" in (entry / "cmdline").read_bytes().split(b"\0")
            variables = (entry / "environ").read_bytes()
        except OSError:
            continue
        if is_sandbox and (folder is None or f"TMPDIR={folder}".encode() in variables):
            found.add(int(entry.name))
    return found


def test_a_sandbox_that_is_told_to_end_saves_its_state_and_ends(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "sandbox", "--world", "empty", "--state", str(state)],
        cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for(process, "ctrl+c ends it")
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, error) == (0, "")
    assert re.match(
        r"\[cloudstack\]\nendpoint = http://127\.0\.0\.1:\d+/client/api\nkey = \S+\nsecret = \S+\n", out
    )
    assert f"# CI database: sqlite:///{state}.ci.sqlite" in out
    assert {file.name for file in tmp_path.iterdir()} == {"state.json", "state.json.ci.sqlite"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watching_without_a_screen_prints_a_line_a_refresh_and_ends_when_told(
    lab: Lab, number: signal.Signals
) -> None:
    process = lab.configured.start("watch", "--headless")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["environment"] == "lab"
    assert first["captures"] == {"problem": ""}
    assert first["ledger_problem"] == ""
    assert first["coverage"]["actual"]["state"] == "complete"
    process.send_signal(number)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert error == "abreast: stopped watching.\n"
    with CaptureStore(lab.configured.data / "lab-captures.sqlite", read_only=True) as store:
        assert store.entries()[-1].is_complete


def test_watching_without_a_screen_says_that_nothing_is_captured(lab: Lab, tmp_path: Path) -> None:
    ready, ci_database = lab.sandbox.ready, lab.configured.folder / "ci.sqlite"
    (tmp_path / "blocked").write_text("a file where a folder is needed")
    more = (
        '[environments.lab.capture]\nfile = "blocked/captures.sqlite"\n'
        "[environments.lab.refresh]\ninventory_seconds = 1\n"
    )
    access = Access(ready.url, ready.key, ready.secret)
    process = configure(tmp_path, access, f"sqlite:///{ci_database}", more=more).start("watch", "--headless")
    assert process.stdout is not None
    lines = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, "watching goes on until it is stopped"
    assert "abreast: nothing is captured: The captures in " in error
    assert "blocked" in lines[-1]["captures"]["problem"]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), CaptureError("It is damaged.")])
def test_whatever_a_capture_breaks_with_is_said_and_stays_in_the_lines(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: Any, fault: Exception
) -> None:
    def broken(*_: Any) -> None:
        raise fault

    monkeypatch.setenv("XDG_DATA_HOME", str(lab.configured.folder / "data"))
    session = Session(load(lab.configured.config).environment("lab"))
    monkeypatch.setattr(session.captures, "offer", broken)
    _capture(session, *read_both(session))
    session.close()
    assert capsys.readouterr().err.startswith("abreast: nothing is captured: ")
    assert type(fault).__name__ in session.captures.problem or str(fault) in session.captures.problem
