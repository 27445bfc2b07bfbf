"""The configuration: the README's example reads, every mistake is named with its place, no secret shows."""

from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.approval_rules import ApprovalRules
from sync.capture_rules import CaptureRules
from sync.errors import EXIT_CONFIGURATION, ConfigurationError, MappingError, UsageError
from sync.model import NetworkRule, Reversibility
from sync.secret import HIDDEN, Secret, shown_url, without_secrets
from sync.settings import (
    CiDatabaseSettings,
    CloudStackCredentials,
    Credentials,
    Environment,
    ExecutionLimits,
    Refresh,
    configuration_path,
    load,
)

EXAMPLE = Path(__file__).parent / "data" / "abreast.toml"
SECRETS = ("read-key", "read-secret", "write-key", "write-secret", "db-password")

INI = """
[DEFAULT]
timeout = 30

[production]
endpoint = https://cloudstack.example.org/client/api
key = read-key
secret = read-secret

[production-write]
endpoint = https://cloudstack.example.org/client/api
key = write-key
secret = write-secret%with%percents

[qualification]
endpoint = http://127.0.0.1:8080/client/api
key = read-key
secret = read-secret
dangerous_no_tls_verify = true
timeout = 2.5
"""

SMALLEST = """
[environments.lab]
[environments.lab.cloudstack]
file = "cloudstack.ini"
read = "production"
[environments.lab.ci_database]
url = "sqlite:///ci.sqlite"
"""

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests see neither this machine's configuration nor its environment."""
    for name in ("ABREAST_CONFIG", "CLOUDSTACK_ENDPOINT", "CLOUDSTACK_KEY", "CLOUDSTACK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration with its credentials beside it; answers its path."""

    def make(text: str, *, ini: str = INI, mode: int = 0o644) -> Path:
        for name, content in (("cloudstack.ini", ini), ("ci-db.password", "db-password\n")):
            (tmp_path / name).write_text(content)
            (tmp_path / name).chmod(0o600)
        file = tmp_path / "abreast.toml"
        file.write_text(text)
        file.chmod(mode)
        return file

    return make


def refusal(file: Path, environment: str | None = None) -> ConfigurationError:
    """The error of a configuration that is wrong, after looking that it names its file and no secret."""
    with pytest.raises(ConfigurationError) as caught:
        load(file).environment(environment)
    error = caught.value
    assert error.exit_code == EXIT_CONFIGURATION
    assert str(file.parent) in str(error)
    whole = "".join(traceback.format_exception(error))
    assert not any(secret in whole for secret in SECRETS), whole
    return error


# --- what is read -------------------------------------------------------------------------------------------


def test_the_example_reads_as_it_stands(write: Write, tmp_path: Path) -> None:
    configuration = load(write(EXAMPLE.read_text(encoding="utf-8")))
    assert configuration.default == "production"
    assert list(configuration.environments) == ["production", "qualification"]
    production = configuration.environment(None)
    assert (production.name, production.title, production.parent) == ("production", "PRODUCTION", "ROOT/ci")
    assert production.cloudstack.read == Credentials(
        endpoint="https://cloudstack.example.org/client/api",
        key=Secret("read-key"),
        secret=Secret("read-secret"),
        verify=True,
        timeout_seconds=30.0,
        source=f"{tmp_path / 'cloudstack.ini'} [production]",
    )
    assert production.cloudstack.write is not None
    assert production.cloudstack.write.secret.reveal() == "write-secret%with%percents"
    assert not production.read_only
    assert production.ci_database.url.reveal() == "postgresql://abreast@ci-db.example.org/ci"
    assert production.ci_database.password() == Secret("db-password")
    assert list(production.ci_database.mapping.queries) == ["projects", "members", "agents", "quotas"]
    assert production.roles == {"owner": "User"}
    assert production.network == NetworkRule(
        "DefaultIsolatedNetworkOfferingWithSourceNatService", "zone-1", "{project}-net"
    )
    assert (production.refresh, production.execution) == (Refresh(), ExecutionLimits())
    assert list(production.runbook) == ["stop the sync job", "storage team"]
    file = tmp_path / "data" / "abreast" / "production.sqlite"
    assert production.ledger == Secret(f"sqlite:///{file}")
    assert production.credential_file == tmp_path / "data" / "abreast" / "production-credentials.jsonl"


def test_an_environment_without_a_key_that_writes_is_read_only(write: Write) -> None:
    qualification = load(write(EXAMPLE.read_text(encoding="utf-8"))).environment("qualification")
    assert qualification.read_only
    assert qualification.cloudstack.write is None
    assert qualification.cloudstack.read.verify is False
    assert qualification.cloudstack.read.timeout_seconds == 2.5
    assert qualification.network is None
    assert qualification.ci_database.mapping.is_default
    assert qualification.ci_database.password() is None


def test_paths_are_relative_to_the_configuration(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    file = write(SMALLEST)
    assert load(file).environment("lab").ci_database.url.reveal() == f"sqlite:///{tmp_path / 'ci.sqlite'}"
    home = load(write(SMALLEST.replace("sqlite:///ci", "sqlite:///~/ci"))).environment("lab")
    assert home.ci_database.url.reveal() == f"sqlite:///{Path.home() / 'ci.sqlite'}"


def test_a_cloudstack_ini_in_the_working_folder_and_the_environment_count_for_nothing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would win in `cs` itself, and the console would work on another server than it says."""
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "cloudstack.ini").write_text(INI.replace("cloudstack.example.org", "trap.example.org"))
    monkeypatch.chdir(trap)
    monkeypatch.setenv("CLOUDSTACK_ENDPOINT", "https://trap.example.org/client/api")
    monkeypatch.setenv("CLOUDSTACK_CONFIG", str(trap / "cloudstack.ini"))
    assert "trap" not in load(write(SMALLEST)).environment("lab").cloudstack.read.endpoint


def test_the_environment_counts_where_it_is_asked_for_and_reads_only(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(
        SMALLEST.replace('file = "cloudstack.ini"\nread = "production"', 'credentials = "environment"')
    )
    with pytest.raises(ConfigurationError, match=r"CLOUDSTACK_\*: `endpoint` is missing"):
        load(file).environment("lab")
    monkeypatch.setenv("CLOUDSTACK_ENDPOINT", "https://cloudstack.example.org/client/api")
    monkeypatch.setenv("CLOUDSTACK_KEY", "read-key")
    monkeypatch.setenv("CLOUDSTACK_SECRET", "read-secret")
    environment = load(file).environment("lab")
    assert environment.read_only
    assert environment.cloudstack.read.key.reveal() == "read-key"


def test_the_password_may_come_from_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(SMALLEST + 'password_variable = "CI_DB_PASSWORD"\n')
    settings = load(file).environment(None).ci_database
    monkeypatch.delenv("CI_DB_PASSWORD", raising=False)
    with pytest.raises(ConfigurationError, match=r"CI_DB_PASSWORD.* is not set"):
        settings.password()
    monkeypatch.setenv("CI_DB_PASSWORD", "db-password")
    assert settings.password() == Secret("db-password")


def test_where_the_configuration_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configuration_path() == tmp_path / "config" / "abreast" / "abreast.toml"
    monkeypatch.setenv("ABREAST_CONFIG", str(tmp_path / "named.toml"))
    assert configuration_path() == tmp_path / "named.toml"
    assert configuration_path(Path("given.toml")) == Path("given.toml")
    with pytest.raises(ConfigurationError, match=r"no configuration at .*named\.toml.*abreast drill"):
        load()


def test_a_broken_environment_does_not_keep_from_another(write: Write) -> None:
    """In an incident nobody mends the credentials of the qualification system first."""
    file = write(EXAMPLE.read_text(encoding="utf-8"), ini=INI.replace("[qualification]", "[gone]"))
    assert load(file).environment("production").name == "production"
    assert "has no section [qualification]" in str(refusal(file, "qualification"))


def test_an_unknown_environment_names_the_nearest(write: Write) -> None:
    with pytest.raises(UsageError, match="Did you mean `production`"):
        load(write(EXAMPLE.read_text(encoding="utf-8"))).environment("prodution")


def test_an_environment_can_be_made_without_a_file(tmp_path: Path) -> None:
    environment = Environment(
        name="drill",
        ci_database=CiDatabaseSettings(Secret("sqlite:////nowhere")),
        cloudstack=CloudStackCredentials(Credentials("http://127.0.0.1:1/", Secret("k"), Secret("s"))),
        ledger=Secret("sqlite://"),
        credential_file=tmp_path / "credentials",
    )
    assert environment.read_only
    assert environment.summary()["title"] == "DRILL"


def test_where_the_archive_is_and_from_where_its_files_are_served(write: Write, tmp_path: Path) -> None:
    lab = load(write(SMALLEST)).environment("lab")
    assert (lab.archive, lab.archive_address) == (None, "")
    named = SMALLEST.replace("lab]\n", 'lab]\narchive = "kept"\narchive_address = "ops:8081"\n', 1)
    lab = load(write(named)).environment("lab")
    assert (lab.archive, lab.archive_address) == (tmp_path / "kept", "ops:8081")


def test_standing_shields_are_asked_for_by_a_truth(write: Write) -> None:
    assert load(write(EXAMPLE.read_text(encoding="utf-8"))).environment("production").standing_shields
    assert not load(write(BASE)).environment(None).standing_shields
    quoted = BASE + '\n[environments.lab.shields]\nstanding = "yes"\n'
    assert "must be true or false" in str(refusal(write(quoted)))


def test_how_captures_are_taken(write: Write) -> None:
    written = BASE.replace(
        "interval_seconds = 30", 'automatic = false\ninterval_seconds = 30\nthin = false\nfile = "c.sqlite"'
    )
    path = write(written)
    environment = load(path).environment("lab")
    assert environment.capture == CaptureRules(is_on=False, interval_seconds=30, thinning=None)
    assert environment.captures == path.parent / "c.sqlite"
    assert environment.summary()["captures"] == "none"
    standard = load(write(BASE.replace("[environments.lab.capture]\ninterval_seconds = 30\n", "")))
    assert standard.environment("lab").capture == CaptureRules()
    captures = standard.environment("lab").captures
    assert captures is not None and captures.name == "lab-captures.sqlite"


# --- what is wrong ------------------------------------------------------------------------------------------

BASE = """default = "lab"
[environments.lab]
parent = "ROOT/ci"
[environments.lab.cloudstack]
file = "cloudstack.ini"
read = "production"
write = "production-write"
[environments.lab.ci_database]
url = "sqlite:///ci.sqlite"
[environments.lab.ci_database.mapping]
projects = "SELECT name FROM projects"
[environments.lab.network]
offering = "isolated"
zone = "zone-1"
[environments.lab.refresh]
inventory_seconds = 10
[environments.lab.capture]
interval_seconds = 30
[environments.lab.execution]
concurrency = 4
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("default =", "defualt =", "defualt is not a key that is known. Did you mean `default`?"),
        ('"lab"', '"labs"', "default names the environment labs, which is not there. Did you mean `lab`?"),
        (
            "read =",
            "raed =",
            "environments.lab.cloudstack.raed is not a key that is known. Did you mean `read`?",
        ),
        (
            "parent =",
            "parnet =",
            "environments.lab.parnet is not a key that is known. Did you mean `parent`?",
        ),
        (
            "url =",
            "uri =",
            "environments.lab.ci_database.uri is not a key that is known. Did you mean `url`?",
        ),
        (
            "projects =",
            "project =",
            "ci_database.mapping.project is not a key that is known. Did you mean `proj",
        ),
        (
            "concurrency =",
            "concurency =",
            "lab.execution.concurency is not a key that is known. Did you mean",
        ),
        ("inventory_sec", "x_sec", "environments.lab.refresh.x_seconds is not a key that is known."),
        (
            "zone =",
            "zones =",
            "environments.lab.network.zones is not a key that is known. Did you mean `zone`?",
        ),
        ("environments.lab.network", "environments.lab.notwork", "lab.notwork is not a key that is known."),
        ('"ROOT/ci"', '"ci"', "environments.lab.parent is 'ci', which is no path of a domain"),
        ('"ROOT/ci"', '"ROOT//ci"', "environments.lab.parent is 'ROOT//ci', which is no path of a domain"),
        ('"ROOT/ci"', "3", "environments.lab.parent must be a text in quotes"),
        (
            '"ROOT/ci"',
            '"ROOT/ci"\narchive_address = "ops"',
            'lab.archive_address is given, and no `archive`. Write archive = "FOLDER" beside it.',
        ),
        *(
            (
                '"ROOT/ci"',
                f'"ROOT/ci"\narchive = "kept"\narchive_address = "{address}"',
                f"lab.archive_address is {address!r}, which is no address to serve at. Give HOST",
            )
            for address in ("", "ops:x", "http://ops", "ops:70000", "ops host")
        ),
        ("= 10", '= "10"', "lab.refresh.inventory_seconds must be a number of at least 1 and at most 3600"),
        ("= 10", "= 0", "environments.lab.refresh.inventory_seconds must be a number of at least 1"),
        ("= 10", "= nan", "environments.lab.refresh.inventory_seconds must be a number of at least 1"),
        ("= 10", "= true", "environments.lab.refresh.inventory_seconds must be a number of at least 1"),
        ("= 4", "= 1.5", "environments.lab.execution.concurrency must be a whole number from 1 to 32"),
        ("= 30", "= -1", "environments.lab.capture.interval_seconds must be a number of at least 0"),
        ("interval_seconds = 30", 'thin = "no"', "environments.lab.capture.thin must be true or false"),
        ("= 4", "= 0", "environments.lab.execution.concurrency must be a whole number from 1 to 32"),
        (
            'offering = "isolated"\n',
            "",
            "environments.lab.network.offering is missing or empty. Write offering",
        ),
        ('"zone-1"', '"zone-1"\nname = "net"', "environments.lab.network.name must contain {project}"),
        ('url = "sqlite:///ci.sqlite"', "", "environments.lab.ci_database.url is missing or empty"),
        ('"sqlite:///ci.sqlite"', '"ci.sqlite"', "environments.lab.ci_database.url is not a database URL"),
        ('file = "cloudstack.ini"\n', "", "environments.lab.cloudstack.file is missing or empty"),
        ('"production"', '"prodution"', "has no section [prodution]. Did you mean `production`?"),
        (
            '"cloudstack.ini"',
            '"absent.ini"',
            "absent.ini: the file with the CloudStack credentials cannot be",
        ),
        ("file =", 'credentials = "environment"\nfile =', "`credentials` are both given. Keep one"),
        ('file = "cloudstack.ini"', 'credentials = "ini"', 'credentials can only be "environment"'),
        ('file = "cloudstack.ini"', 'credentials = "environment"', "lab.cloudstack.read cannot be used with"),
        ("SELECT name", "DELETE", "lab.ci_database.mapping: The mapping's query `projects` is not a SELECT"),
        ("environments.lab]", "environments.Lab]", "environments.Lab must be lower-case letters"),
        (
            "environments.lab",
            "environments.drill",
            "environments.drill is the name of the practice environment",
        ),
        ("[environments.lab.refresh]\n", "[environments.lab]\n", "not valid TOML: Cannot declare"),
        ('"ROOT/ci"', '"ROOT/ci', "not valid TOML: Illegal character '\\n' (at line 3, column 18)"),
    ],
)
def test_every_mistake_is_named_with_its_place(write: Write, old: str, new: str, words: str) -> None:
    assert old in BASE
    changed = BASE.replace(old, new) if old == "environments.lab" else BASE.replace(old, new, 1)
    assert words in str(refusal(write(changed)))


def test_an_empty_configuration(write: Write) -> None:
    assert "environments is missing. Write a table [environments.production]" in str(refusal(write("")))
    assert "environments must be a table" in str(refusal(write("environments = 3")))
    assert "lab.cloudstack is missing" in str(refusal(write("[environments.lab]\n")))


def test_a_mapping_fault_is_a_mapping_error(write: Write) -> None:
    file = write(BASE.replace("projects =", "members ="))
    with pytest.raises(MappingError, match="no query `projects`"):
        load(file)


def test_a_configuration_that_is_no_text(write: Write) -> None:
    file = write("")
    file.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in str(refusal(file))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("secret = read-secret", "secret =", "[production]: `secret` is missing or empty"),
        ("key = read-key", "", "[production]: `key` is missing or empty"),
        ("https://cloudstack", "ftp://cloudstack", "[production]: `endpoint` is not the URL of an API"),
        ("https://cloudstack", "https://me:write-secret@cloudstack", "`endpoint` is not the URL of an API"),
        (
            "https://cloudstack.example.org/",
            "https://cloudstack:port/",
            "`endpoint` is not the URL of an API",
        ),
        ("https://cloudstack", "cloudstack", "[production]: `endpoint` is not the URL of an API"),
        ("api\n", "api?apiKey=read-key\n", "[production]: `endpoint` is not the URL of an API"),
        ("timeout = 30", "timeout = soon", "`timeout` must be a number of seconds"),
        ("timeout = 30", "timeout = -1", "`timeout` must be a number of seconds"),
        ("timeout = 30", "verify = missing.pem", "missing.pem, which is not there"),
        ("timeout = 30", "dangerous_no_tls_verify = perhaps", "must be true or false"),
        ("timeout = 30", "cert = me.pem", "no use for client certificates"),
        ("[DEFAULT]\n", "read-secret\n", "cloudstack.ini:2: not the form of a cloudstack.ini"),
        ("key = read-key", "read-key", "cloudstack.ini:7: not the form of a cloudstack.ini (ParsingError)"),
        ("key = read-key", "key = a\nkey = read-key", "cloudstack.ini:8: not the form of a cloudstack.ini"),
    ],
)
def test_every_mistake_in_the_credentials_is_named(write: Write, old: str, new: str, words: str) -> None:
    assert old in INI
    assert words in str(refusal(write(BASE, ini=INI.replace(old, new, 1))))


def test_both_keys_must_be_for_one_server(write: Write) -> None:
    ini = INI.replace(
        "[production-write]\nendpoint = https://", "[production-write]\nendpoint = https://other-"
    )
    error = refusal(write(BASE, ini=ini))
    assert "lab.cloudstack.write names a section for another server (https://other-cloudstack" in str(error)


def test_an_authority_may_be_named(write: Write, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    file = write(BASE, ini=INI.replace("timeout = 30", "verify = ca.pem"))
    assert load(file).environment("lab").cloudstack.read.verify == str(tmp_path / "ca.pem")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o604])
def test_credentials_that_others_can_reach_are_refused(write: Write, tmp_path: Path, mode: int) -> None:
    file = write(BASE)
    (tmp_path / "cloudstack.ini").chmod(mode)
    assert f"Run: chmod 600 {tmp_path / 'cloudstack.ini'}" in str(refusal(file))


def test_a_password_file_that_others_can_reach_is_refused(write: Write, tmp_path: Path) -> None:
    settings = load(write(EXAMPLE.read_text(encoding="utf-8"))).environment("production").ci_database
    (tmp_path / "ci-db.password").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        settings.password()
    (tmp_path / "ci-db.password").chmod(0o600)
    (tmp_path / "ci-db.password").write_text("\n")
    with pytest.raises(ConfigurationError, match="is empty"):
        settings.password()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:db-password@h/d",
        "mysql://h/d?password=db-password",
        "mysql://u:db/pass/db-password@h/d",
    ],
)
def test_a_password_in_the_configuration_makes_it_private(write: Write, url: str) -> None:
    text = BASE.replace("sqlite:///ci.sqlite", url)
    assert "chmod 600" in str(refusal(write(text, mode=0o644)))
    assert load(write(text, mode=0o600)).environment("lab").ci_database.url.reveal() == url


@pytest.mark.parametrize("url", ["postgresql://u@h:5432/d", "postgresql://h:5432/d", "sqlite:////a@b:c"])
def test_a_url_without_a_password_may_be_readable(write: Write, url: str) -> None:
    assert load(write(BASE.replace("sqlite:///ci.sqlite", url), mode=0o644)).environment("lab")


# --- what is never shown ------------------------------------------------------------------------------------


def test_nothing_secret_is_in_any_repr_or_summary(write: Write) -> None:
    text = BASE.replace("sqlite:///ci.sqlite", "postgresql://ci:db-password@h:5432/ci?password=db-password")
    text = text.replace("parent =", 'ledger = "postgresql://l:db-password@h/l"\nparent =')
    configuration = load(write(text, mode=0o600))
    environment = configuration.environment("lab")
    shown = (
        f"{configuration!r} {environment!r} {environment} {environment.cloudstack!r} {environment.summary()}"
    )
    assert not any(secret in shown for secret in SECRETS), shown
    assert environment.summary()["CI database"] == "postgresql://h:5432/ci"
    assert environment.summary()["ledger"] == "postgresql://h/l"
    assert environment.summary()["writing as"].endswith("[production-write]")


def test_a_secret_hides_itself() -> None:
    secret = Secret("db-password")
    assert "db-password" not in f"{secret} {secret!r} {secret!s} {secret:>30} {[secret]} {{'a': {secret}}}"
    assert secret.reveal() == "db-password"
    assert secret == Secret("db-password")
    assert secret != Secret("other")
    assert secret != "db-password"
    assert len({secret, Secret("db-password")}) == 1
    assert not Secret("")
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql://h:5432/d"),
        ("postgresql://u:p@ss/w?rd@h/d?sslpassword=x", "postgresql://h/d"),
        ("mysql+pymysql://h/d?password=x", "mysql+pymysql://h/d"),
        ("sqlite:////srv/ci@home.sqlite?mode=ro", "sqlite:////srv/ci@home.sqlite"),
        ("nonsense db-password", HIDDEN),
    ],
)
def test_urls_are_shown_without_user_password_and_options(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("text", "secrets", "clean"),
    [
        ("no p@ss/word here", ("p@ss/word",), f"no {HIDDEN} here"),
        ("no p%40ss%2Fword here", ("p@ss/word",), f"no {HIDDEN} here"),
        ("no p%40ss/word here", ("p@ss/word",), f"no {HIDDEN} here"),
        ("a\n  b\tc", (), "a b c"),
        ("short secrets give their place away: abc", ("abc",), ""),
        ("and where they are not: xyz", ("abc",), "and where they are not: xyz"),
        ("see postgresql://u:unknown@h/d", (), f"see postgresql://{HIDDEN}@h/d"),
    ],
)
def test_foreign_texts_lose_their_secrets(text: str, secrets: tuple[str, ...], clean: str) -> None:
    assert without_secrets(text, secrets) == clean


def test_foreign_texts_are_cut() -> None:
    assert len(without_secrets("x" * 5_000, ())) == 300


# --- approvals ----------------------------------------------------------------------------------------------


def approvals(write: Write, text: str) -> ApprovalRules:
    """Those of an environment, told without its credentials."""
    return load(write(f"{BASE}\n[environments.lab.approvals]\n{text}")).approvals["lab"]


def test_who_approves_and_how_many_must(write: Write, tmp_path: Path) -> None:
    rules = approvals(write, 'allowed_signers = "signers"\nrequired = {undoable = 1, irreversible = 3}\n')
    assert rules.allowed_signers == tmp_path / "signers"
    assert [rules.required[grade] for grade in Reversibility] == [1, 1, 1, 3]


def test_an_environment_that_says_nothing_of_approvals_asks_for_some(write: Write) -> None:
    configuration = load(write(BASE))
    assert configuration.approvals["lab"] == ApprovalRules()
    assert [ApprovalRules().required[grade] for grade in Reversibility] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("required = {irreversble = 0}", "irreversble is not a key that is known. Did you mean `irrev"),
        ("required = {irreversible = -1}", "required.irreversible must be a whole number from 0 to 20"),
        ("required = {irreversible = 21}", "required.irreversible must be a whole number from 0 to 20"),
        ("required = {irreversible = true}", "required.irreversible must be a whole number from 0 to 20"),
        ("required = 0", "environments.lab.approvals.required must be a table"),
        ("allowed_signers = 3", "environments.lab.approvals.allowed_signers must be a text"),
        ('signers = "x"', "environments.lab.approvals.signers is not a key that is known"),
    ],
)
def test_approvals_that_are_written_wrong_are_refused(write: Write, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        approvals(write, text)


# --- CloudStack's database ----------------------------------------------------------------------------------

WITH_DATABASE = SMALLEST.replace(
    "[environments.lab]\n",
    '[environments.lab]\ncloudstack_database = "mysql://brake:db-password@cs-db/cloud"\n',
    1,
)


def test_cloudstacks_database_is_a_secret_that_the_summary_shows_without_its_user(write: Write) -> None:
    environment = load(write(WITH_DATABASE, mode=0o600)).environment("lab")
    assert environment.cloudstack_database == Secret("mysql://brake:db-password@cs-db/cloud")
    assert environment.summary()["CloudStack's database"] == "mysql://cs-db/cloud"
    assert "db-password" not in repr(environment)
    assert load(write(SMALLEST)).environment("lab").cloudstack_database is None


def test_a_configuration_with_a_database_user_in_it_is_for_its_owner_alone(write: Write) -> None:
    with pytest.raises(ConfigurationError, match="database user"):
        load(write(WITH_DATABASE, mode=0o644))


@pytest.mark.parametrize("url", ["postgresql://cs-db/cloud", "cs-db/cloud", "mysql:cloud"])
def test_cloudstacks_database_can_only_be_mysql(write: Write, url: str) -> None:
    text = SMALLEST.replace("[environments.lab]\n", f'[environments.lab]\ncloudstack_database = "{url}"\n', 1)
    with pytest.raises(ConfigurationError, match="no URL of a MySQL database"):
        load(write(text, mode=0o600))
