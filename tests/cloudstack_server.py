"""A tiny HTTP server that answers as a test tells it: for what goes wrong around CloudStack's API."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

from sync.cloudstack_ini import Credentials
from sync.secret import Secret

KEY = "api+key/OfTheTest=="
SECRET = "secret-key/OfThe+Test=="
PASSWORD = "pass word+OfThe/Test=="


@dataclass
class Reply:
    """What to answer; without a status the connection is closed without a word."""

    status: int | None = 200
    body: Any = field(default_factory=dict)
    """An object goes out as JSON, a text as it is."""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    silent_for: threading.Event | None = None
    """Waits for this before it answers."""


@dataclass
class Heard:
    method: str
    path: str
    headers: dict[str, str]
    params: dict[str, str]

    @property
    def command(self) -> str:
        return self.params.get("command", "")


def wrapped(command: str, **body: Any) -> dict[str, Any]:
    return {f"{command.lower()}response": body}


def refused(command: str, code: int, text: str) -> Reply:
    return Reply(code, wrapped(command, uuidList=[], errorcode=code, cserrorcode=9999, errortext=text))


class Server:
    """Serves on a free loopback port while it is entered."""

    def __init__(self, answer: Callable[[Heard], Reply]) -> None:
        self.heard: list[Heard] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _do(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                params = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
                heard = Heard(
                    self.command,
                    self.path,
                    dict(self.headers),
                    {key: value[0] for key, value in params.items()},
                )
                outer.heard.append(heard)
                reply = answer(heard)
                if reply.silent_for is not None:
                    reply.silent_for.wait(30)
                if reply.status is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
                body = text.encode()
                self.send_response_only(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET = _do  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Tests read `heard`, not a log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/client/api"

    def speak_tls(self, context: ssl.SSLContext) -> None:
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def credentials(self, **changed: Any) -> Credentials:
        return credentials(self.endpoint, **changed)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def credentials(endpoint: str, **changed: Any) -> Credentials:
    return Credentials(endpoint=endpoint, key=Secret(KEY), secret=Secret(SECRET), **changed)


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
