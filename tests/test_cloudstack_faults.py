"""Whatever goes wrong on the wire becomes one of our errors: what, where, what next, and never a secret."""

from __future__ import annotations

import json
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import urllib3

from sync.cloudstack import Writer
from sync.cloudstack.client import Connection
from sync.cloudstack.faults import CLIPPED_AT, clean, shown_endpoint
from sync.cloudstack_ini import Credentials
from sync.errors import (
    AbreastError,
    ForbiddenError,
    NotCloudStackError,
    OutcomeUnknownError,
    RefusedError,
    ThrottledError,
    UnauthorizedError,
    UnreachableError,
)
from sync.secret import HIDDEN
from tests.cloudstack_server import (
    KEY,
    PASSWORD,
    SECRET,
    Heard,
    Reply,
    Server,
    closed_port,
    credentials,
    refused,
    wrapped,
)

TLS = Path(__file__).parent / "data" / "tls"
"""A key of nobody's, made for these tests; valid until 2126."""
NOW = datetime(2026, 7, 28, 3, 0, tzinfo=UTC)
PARAMETERS = {"username": "jmartin", "account": "dune", "domainid": "d-1", "password": PASSWORD}
HTML = "<html><body><h1>Login</h1></body></html>"


def connection(to: Credentials, *, slept: list[float] | None = None) -> Connection:
    return Connection(to, clock=lambda: NOW, sleep=(slept if slept is not None else []).append)


def reading_error(to: Credentials) -> AbreastError:
    with pytest.raises(AbreastError) as caught:
        connection(to).read("listDomains", {"listall": "true"})
    assert_tells_and_keeps_secrets(caught.value)
    return caught.value


def writing_error(to: Credentials) -> AbreastError:
    with pytest.raises(AbreastError) as caught:
        Writer(to, clock=lambda: NOW).submit("createUser", PARAMETERS)
    assert_tells_and_keeps_secrets(caught.value)
    return caught.value


def assert_tells_and_keeps_secrets(error: AbreastError) -> None:
    """It says something, where and what next; nothing that could be printed of it holds a secret."""
    assert error.what
    assert error.__cause__ is None
    assert error.__context__ is None
    plain = "".join(traceback.format_exception(error))
    shown = "\n".join([str(error), repr(error), repr(error.args), error.what, error.next_step, plain])
    for secret in (KEY, SECRET, PASSWORD):
        for form in (secret, quote(secret), quote_plus(secret), quote(secret, safe="*")):
            assert form not in shown
    assert "signature=" not in shown.replace(f"signature={HIDDEN}", "")
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    with_locals = "".join(
        line
        for line, frame in zip(frames.stack.format(), frames.stack, strict=True)
        if "/tests/" not in frame.filename
    )
    for secret in (KEY, SECRET):
        assert secret not in with_locals


# --- connections that are never made: nothing was sent, for reading and for writing -----------------------


@pytest.mark.parametrize("error_of", [reading_error, writing_error])
def test_a_refused_connection_is_known_not_to_be_sent(error_of: Callable[..., AbreastError]) -> None:
    port = closed_port()
    error = error_of(credentials(f"http://127.0.0.1:{port}/client/api"))
    assert isinstance(error, UnreachableError)
    assert f"http://127.0.0.1:{port}/client/api refuses connections" in str(error)
    assert "starting" in error.next_step


@pytest.mark.parametrize("error_of", [reading_error, writing_error])
def test_a_name_that_does_not_resolve(error_of: Callable[..., AbreastError]) -> None:
    error = error_of(credentials("http://cloudstack.invalid:8080/client/api"))
    assert isinstance(error, UnreachableError)
    assert "The name cloudstack.invalid" in str(error)


@pytest.mark.parametrize("error_of", [reading_error, writing_error])
def test_an_endpoint_that_is_no_url(error_of: Callable[..., AbreastError]) -> None:
    error = error_of(credentials("ftp://127.0.0.1/client/api"))
    assert isinstance(error, UnreachableError)
    assert "is no address" in str(error)


@contextmanager
def tls_server() -> Iterator[str]:
    """A TLS server with a certificate for localhost that nobody trusts: its endpoint."""
    with Server(lambda heard: Reply(body=wrapped(heard.command, count=0))) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
        server.speak_tls(context)
        yield server.endpoint.replace("http://127.0.0.1", "https://localhost")


def test_tls_certificates_are_verified_and_authorities_can_be_named() -> None:
    with tls_server() as endpoint:
        for error_of in (reading_error, writing_error):
            error = error_of(credentials(endpoint))
            assert isinstance(error, UnreachableError)
            assert "certificate" in str(error)
            assert "verify" in error.next_step
        for verify in (str(TLS / "certificate.pem"), False):
            trusting = connection(credentials(endpoint, verify=verify))
            assert trusting.read("listDomains") == {"count": 0}


@pytest.mark.parametrize("error_of", [reading_error, writing_error])
def test_a_certificate_file_that_is_not_there(error_of: Callable[..., AbreastError], tmp_path: Path) -> None:
    error = error_of(credentials("https://127.0.0.1:1/client/api", verify=str(tmp_path / "none.pem")))
    assert isinstance(error, UnreachableError)
    assert "certificate file" in str(error)


def test_https_to_a_port_that_speaks_http() -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        error = reading_error(credentials(server.endpoint.replace("http:", "https:")))
        assert isinstance(error, UnreachableError)
        assert "TLS" in str(error)


# --- connections that break or stay silent ----------------------------------------------------------------


def test_silence_is_a_time_out_for_reading_and_an_unknown_outcome_for_writing() -> None:
    done = threading.Event()
    with Server(lambda heard: Reply(body=wrapped(heard.command), silent_for=done)) as server:
        error = reading_error(server.credentials(timeout_seconds=1))
        assert isinstance(error, UnreachableError)
        assert "did not answer listDomains in 1 s" in str(error)
        error = writing_error(server.credentials(timeout_seconds=1))
        assert isinstance(error, OutcomeUnknownError)
        assert "no answer came in 1 s" in str(error)
        assert "read the object" in error.next_step
        assert [heard.command for heard in server.heard] == ["listDomains", "createUser"]
        done.set()


def test_a_broken_connection_is_read_once_more() -> None:
    replies = [Reply(None), Reply(body=wrapped("listDomains", count=3))]
    with Server(lambda _: replies.pop(0)) as server:
        assert connection(server.credentials()).read("listDomains") == {"count": 3}


def test_connections_that_keep_breaking_are_an_error() -> None:
    with Server(lambda _: Reply(None)) as server:
        error = reading_error(server.credentials())
        assert isinstance(error, UnreachableError)
        assert "closed the connection" in str(error)
        assert len(server.heard) == 2


def test_a_broken_connection_leaves_a_writing_call_unknown_and_is_not_tried_again() -> None:
    with Server(lambda _: Reply(None)) as server:
        error = writing_error(server.credentials())
        assert isinstance(error, OutcomeUnknownError)
        assert "createUser was sent" in str(error)
        assert len(server.heard) == 1


# --- answers of something else ----------------------------------------------------------------------------


FOREIGN: list[tuple[Reply, type[AbreastError], type[AbreastError], str]] = [
    (Reply(404, HTML, content_type="text/html"), NotCloudStackError, NotCloudStackError, "/client/api"),
    (Reply(200, HTML, content_type="text/html"), NotCloudStackError, NotCloudStackError, "web page"),
    (Reply(503, HTML, content_type="text/html"), UnreachableError, UnreachableError, "starting"),
    (Reply(502, HTML, content_type="text/html"), UnreachableError, OutcomeUnknownError, "502"),
    (Reply(504, "", content_type="text/plain"), UnreachableError, OutcomeUnknownError, "504"),
    (Reply(500, HTML, content_type="text/html"), NotCloudStackError, OutcomeUnknownError, "500"),
    (Reply(403, HTML, content_type="text/html"), NotCloudStackError, NotCloudStackError, "403"),
    (Reply(200, '{"listdomainsresponse": {"cou'), NotCloudStackError, OutcomeUnknownError, "answer"),
    (Reply(200, ""), NotCloudStackError, OutcomeUnknownError, "answer"),
    (Reply(200, {"anything": {}}), NotCloudStackError, OutcomeUnknownError, "answer"),
    (Reply(200, {"listdomainsresponse": []}), NotCloudStackError, OutcomeUnknownError, "answer"),
    (Reply(200, []), NotCloudStackError, OutcomeUnknownError, "answer"),
    (
        Reply(302, "", headers={"Location": "http://127.0.0.1:9/elsewhere"}),
        NotCloudStackError,
        NotCloudStackError,
        "another address",
    ),
    (
        Reply(307, "", headers={"Location": "http://127.0.0.1:9/elsewhere"}),
        NotCloudStackError,
        NotCloudStackError,
        "another address",
    ),
]


@pytest.mark.parametrize(("reply", "reading", "writing", "word"), FOREIGN)
def test_answers_of_something_else(
    reply: Reply, reading: type[AbreastError], writing: type[AbreastError], word: str
) -> None:
    with Server(lambda _: reply) as server:
        for error, kind in (
            (reading_error(server.credentials()), reading),
            (writing_error(server.credentials()), writing),
        ):
            assert type(error) is kind
            assert server.endpoint in str(error)
        assert word in str(reading_error(server.credentials()))


# --- CloudStack's own refusals ----------------------------------------------------------------------------


def test_401_names_the_four_causes() -> None:
    with Server(lambda heard: refused(heard.command, 401, "unable to verify")) as server:
        error = reading_error(server.credentials())
    assert isinstance(error, UnauthorizedError)
    for cause in ("key or secret", "signature", "disabled or locked", "API that this release does not have"):
        assert cause in str(error)
    assert "behind" not in str(error)


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(timedelta(minutes=15), "15 minutes behind"), (timedelta(hours=-3), "3 hours ahead of")],
)
def test_401_says_when_the_clocks_differ(ahead: timedelta, words: str) -> None:
    def answer(heard: Heard) -> Reply:
        reply = refused(heard.command, 401, "unable to verify user credentials")
        reply.headers["Date"] = format_datetime(NOW + ahead, usegmt=True)
        return reply

    with Server(answer) as server:
        for error_of in (reading_error, writing_error):
            error = error_of(server.credentials())
            assert isinstance(error, UnauthorizedError)
            assert f"This machine's clock is {words} the server's" in str(error)


def test_432_names_the_call() -> None:
    with Server(lambda heard: refused(heard.command, 432, "not allowed")) as server:
        error = reading_error(server.credentials())
    assert isinstance(error, ForbiddenError)
    assert "may not call listDomains" in str(error)


RETRY = "The given user has reached his/her account api limit, please retry after [121] ms."


def test_429_waits_as_long_as_the_text_says() -> None:
    slept: list[float] = []
    replies = [refused("listDomains", 429, RETRY)] * 3 + [Reply(body=wrapped("listDomains", count=1))]
    with Server(lambda _: replies.pop(0)) as server:
        assert connection(server.credentials(), slept=slept).read("listDomains") == {"count": 1}
    assert slept == [0.121] * 3


def test_429_without_end_is_given_up() -> None:
    slept: list[float] = []
    reply = refused("listDomains", 429, RETRY.replace("121", "4000"))
    with Server(lambda _: reply) as server, pytest.raises(ThrottledError) as caught:
        connection(server.credentials(), slept=slept).read("listDomains")
    assert slept == [4.0] * 3
    assert caught.value.retry_after_seconds == 4.0


def test_429_on_a_writing_call_means_that_it_was_not_carried_out() -> None:
    with Server(lambda heard: refused(heard.command, 429, RETRY)) as server:
        error = writing_error(server.credentials())
        assert isinstance(error, ThrottledError)
        assert error.retry_after_seconds == pytest.approx(0.121)
        assert "was not carried out" in str(error)
        assert len(server.heard) == 1


def test_503_as_json_is_a_server_that_starts() -> None:
    with Server(lambda heard: refused(heard.command, 503, "not ready")) as server:
        assert isinstance(reading_error(server.credentials()), UnreachableError)


@pytest.mark.parametrize("code", [431, 530, 533, 535])
def test_other_refusals_carry_code_and_words_but_no_secret(code: int) -> None:
    words = f"No: \x1b[31mpassword=hunter2&signature=abc%2B&apikey={quote(KEY)} {SECRET} {KEY} "

    def answer(heard: Heard) -> Reply:
        return refused(heard.command, code, f"{words}{heard.params.get('password')} " + "x" * 900)

    with Server(answer) as server:
        for error_of in (reading_error, writing_error):
            error = error_of(server.credentials())
            assert isinstance(error, RefusedError)
            assert error.code == code
            assert f"with {code}: No: " in str(error)
            for unwanted in ("\x1b", "hunter2", "abc%2B"):
                assert unwanted not in str(error)
            assert len(str(error)) < CLIPPED_AT + 250


def test_a_server_that_echoes_the_request_shows_no_secret() -> None:
    def echo(heard: Heard) -> Reply:
        return Reply(500, json.dumps(heard.params) + str(heard.params), content_type="text/plain")

    with Server(echo) as server:
        reading_error(server.credentials())
        writing_error(server.credentials())


# --- what is sent -----------------------------------------------------------------------------------------


def test_everything_is_posted_signed_and_named() -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command, jobid="j-1"))) as server:
        connection(server.credentials()).read("listDomains", {"listall": "true"})
        submission = Writer(server.credentials()).submit("createUser", PARAMETERS)
    assert submission.job_id == "j-1"
    reading, writing = server.heard
    for heard in server.heard:
        assert heard.method == "POST"
        assert heard.path == "/client/api"
        assert heard.headers["User-Agent"].startswith("abreast/")
        assert heard.params["response"] == "json"
        assert heard.params["apiKey"] == KEY
        assert heard.params["signature"]
        assert SECRET not in str(heard)
    assert writing.params["password"] == PASSWORD
    assert writing.headers["Connection"] == "close"
    assert "Connection" not in reading.headers


@pytest.mark.parametrize(
    "raised", [ConnectionResetError("reset"), TimeoutError("late"), urllib3.exceptions.HTTPError("odd")]
)
def test_an_unusual_error_of_a_connection_leaves_a_writing_call_unknown(
    raised: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", fail)
    to = credentials("http://127.0.0.1:9/client/api")
    assert isinstance(writing_error(to), OutcomeUnknownError)
    assert isinstance(reading_error(to), UnreachableError)


def test_one_session_a_thread() -> None:
    one = connection(credentials("http://127.0.0.1:9/client/api"))
    clients: list[Any] = [one._client()]
    thread = threading.Thread(target=lambda: clients.append(one._client()))
    thread.start()
    thread.join()
    assert clients[0] is one._client()
    assert clients[0].session is not clients[1].session


def test_text_is_utf8_also_where_the_server_does_not_say_so() -> None:
    body = wrapped("listDomains", domain=[{"id": "1", "name": "équipe été"}])
    reply = Reply(body=json.dumps(body, ensure_ascii=False), content_type="text/javascript")
    with Server(lambda _: reply) as server:
        assert connection(server.credentials()).read("listDomains")["domain"][0]["name"] == "équipe été"


def test_text_that_cannot_be_sent_is_an_error_of_ours() -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        with pytest.raises(AbreastError, match="no valid text"):
            connection(server.credentials()).read("listDomains", {"name": "\ud800"})
        assert server.heard == []


def test_a_loopback_endpoint_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Server(lambda heard: Reply(body=wrapped(heard.command, count=1))) as server:
        assert connection(server.credentials()).read("listDomains") == {"count": 1}


def test_calls_are_counted() -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        one = connection(server.credentials())
        for _ in range(3):
            one.read("listDomains")
    assert one.calls == 3


def test_nothing_here_shows_a_secret_in_its_repr() -> None:
    to = credentials("https://user:pw@cloud.example.org:8443/client/api?apikey=x")
    for one in (connection(to), Writer(to), connection(to)._client()):
        assert SECRET not in repr(one)
        assert KEY not in repr(one)
    assert "pw" not in repr(connection(to))


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("https://user:pw@cloud.example.org/client/api?a=b#c", "https://cloud.example.org/client/api"),
        ("http://[::1]:8080/client/api", "http://[::1]:8080/client/api"),
        ("http://host:port/x", "(an endpoint that is no URL)"),
        ("cloud.example.org", "cloud.example.org"),
    ],
)
def test_endpoints_are_shown_without_what_may_be_secret(endpoint: str, shown: str) -> None:
    assert shown_endpoint(endpoint) == shown


def test_a_secret_is_taken_out_in_every_spelling_and_with_its_text_where_it_is_short() -> None:
    assert clean("no, abc is wrong", ["abc"]) == ""
    assert clean("no", ["abc", ""]) == "no"
    assert clean("hunter22!", ["hunter22"]) == f"{HIDDEN}!"
    for spelling in ("a*b%20c", "a%2Ab+c", "a%2Ab%20c", "a*b c"):
        assert clean(f"<{spelling}>", ["a*b c"]) == f"<{HIDDEN}>"
    assert clean("x secretKey=hunter22&y", []) == f"x secretKey={HIDDEN}&y"


def test_what_a_server_says_moves_no_cursor_and_turns_no_direction() -> None:
    assert clean("a\n b\x1b[2J\u202ec\u3164") == "a b\\u{1b}[2J\\u{202e}c\\u{3164}"
    assert len(clean("\x1b" * 300)) == 300
