"""The sandbox as an HTTP server on aiohttp: the API, and control paths below /sandbox/ that need a token."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import islice
from pathlib import Path
from typing import Any

from aiohttp import web

from sync.sandbox import jenkins, persistence, storage
from sync.sandbox.clock import WallClock
from sync.sandbox.engine import Answer, Engine, Request
from sync.sandbox.faults import Fault, FaultError, Faults, refusal
from sync.sandbox.gateway import API_PATH, Gateway
from sync.sandbox.process import TOKEN_HEADER
from sync.sandbox.service_times import HASHING_AT_ONCE

TICK_SECONDS = 0.02
"""Real seconds between two looks for work that is due."""
SAVE_SECONDS = 2.0
"""Real seconds between two writes of the state file, at least."""
SAVE_SHARE = 20
"""A large world is written more rarely: writing may take one in so many seconds."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Sandbox:
    """One server: its engine, its faults, and where it keeps its state."""

    engine: Engine
    token: str
    state: Path | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gateway = Gateway(self.engine)
        self.faults = Faults(self.engine)
        self._hashing = asyncio.Semaphore(HASHING_AT_ONCE)
        self._dirty = False

    @property
    def speed(self) -> float:
        """Virtual seconds per real second; 0 where the clock is stepped by hand."""
        clock = self.engine.world.clock
        return clock.speed if isinstance(clock, WallClock) else 0.0

    def app(self) -> web.Application:
        """The aiohttp application; its background work runs while it serves."""
        app = web.Application()
        app.router.add_get("/sandbox/log", self._guarded(self._log))
        app.router.add_get("/sandbox/destroyed", self._guarded(self._destroyed))
        app.router.add_get("/sandbox/faults", self._guarded(self._list_faults))
        app.router.add_post("/sandbox/faults", self._guarded(self._add_fault))
        app.router.add_delete("/sandbox/faults", self._guarded(self._clear_faults))
        app.router.add_get("/sandbox/clock", self._guarded(self._clock))
        app.router.add_post("/sandbox/clock", self._guarded(self._advance))
        app.router.add_post("/sandbox/shutdown", self._guarded(self._shutdown))
        app.router.add_get(jenkins.PATH, self._jenkins)
        app.router.add_get(storage.PATH, self._storage)
        app.router.add_route("*", "/{path:.*}", self._api)
        app.cleanup_ctx.append(self._background)
        app.on_response_prepare.append(self._date)
        return app

    def save(self) -> None:
        """Write the state file, if there is one. Raises OSError."""
        if self.state is not None:
            persistence.save(self.engine.world, self.state)

    async def _date(self, _http: web.Request, response: web.StreamResponse) -> None:
        """The Date of an answer is told by the clock by which signatures expire."""
        response.headers["Date"] = format_datetime(
            self.engine.world.clock.callers_now().astimezone(UTC), usegmt=True
        )

    # --- the API -------------------------------------------------------------------------------------

    async def _api(self, http: web.Request) -> web.StreamResponse:
        self.engine.storage = f"{http.scheme}://{http.host}"
        params = dict(http.query)
        if http.method == "POST":
            params |= {key: value for key, value in (await http.post()).items() if isinstance(value, str)}
        request = Request(
            params=params,
            method=http.method,
            client=http.headers.get("User-Agent", ""),
            remote=http.remote or "127.0.0.1",
        )
        command = next((value for key, value in params.items() if key.lower() == "command"), "")
        fault = self.faults.before(command) if http.path.rstrip("/") == API_PATH else None
        if fault is not None:
            answer = await self._struck(http, request, fault, command)
            if answer is not None:
                return _response(answer)
        answer = self.gateway.answer(http.path, request)
        self._dirty = True
        fault = self.faults.after(command, answer)
        if fault is not None:
            await self._cut_off(http, fault)
        await self._take_time(answer)
        return _response(answer)

    async def _struck(self, http: web.Request, request: Request, fault: Fault, command: str) -> Answer | None:
        """What a fault answers; None where the engine shall answer after all (`slow`)."""
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return None
        wrapper = f"{command.lower()}response" if self.engine.knows(command) else "errorresponse"
        answer = refusal(fault, wrapper)
        self.engine.log(request, 0 if answer is None else answer.status)
        await self._cut_off(http, fault)
        return answer

    async def _cut_off(self, http: web.Request, fault: Fault) -> None:
        """Let a client wait, or reset its connection, where the fault says so."""
        if fault.kind.startswith("timeout"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), fault.seconds)
        if fault.kind.startswith(("timeout", "reset")):
            if http.transport is not None:
                http.transport.abort()
            raise asyncio.CancelledError

    async def _take_time(self, answer: Answer) -> None:
        if not answer.seconds or not self.speed:
            return
        if answer.hashing:
            async with self._hashing:
                await asyncio.sleep(answer.seconds / self.speed)
        else:
            await asyncio.sleep(answer.seconds / self.speed)

    async def _storage(self, http: web.Request) -> web.StreamResponse:
        """The secondary storage VM: another server in reality, which asks for no key."""
        found = self.engine.downloads.get(http.match_info["name"])
        status, headers, body = storage.answer(found, http.headers)
        return web.Response(status=status, headers=headers, body=body)

    async def _jenkins(self, http: web.Request) -> web.StreamResponse:
        """Another server in reality: no key, no fault and no log of the API's."""
        found = jenkins.computers(self.engine.world, http.match_info["project"])
        return _json({} if found is None else found, status=404 if found is None else 200)

    # --- the control paths -----------------------------------------------------------------------------

    def _guarded(self, handler: Callable[[web.Request], Awaitable[Any]]) -> Handler:
        async def guarded(http: web.Request) -> web.StreamResponse:
            given = http.headers.get(TOKEN_HEADER, "")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return _json({"error": f"This path needs the sandbox's token in {TOKEN_HEADER}."}, status=403)
            try:
                return _json(await handler(http))
            except (FaultError, ValueError, TypeError) as problem:
                return _json({"error": str(problem)}, status=400)

        return guarded

    async def _log(self, http: web.Request) -> Any:
        """The newest `limit` entries of the access log (all without), oldest first."""
        log, limit = self.engine.world.access_log, http.query.get("limit")
        entries = list(log) if limit is None else list(islice(reversed(log), max(0, int(limit))))[::-1]
        return {"count": len(self.engine.world.access_log), "entries": [_plain(one) for one in entries]}

    async def _destroyed(self, _http: web.Request) -> Any:
        return {"entries": [_plain(one) for one in self.engine.world.destroyed]}

    async def _list_faults(self, _http: web.Request) -> Any:
        return {"faults": self.faults.shown(), "armed": self.engine.world.armed}

    async def _add_fault(self, http: web.Request) -> Any:
        return dataclasses.asdict(self.faults.add(await http.json()))

    async def _clear_faults(self, _http: web.Request) -> Any:
        self.faults.clear()
        return {"faults": []}

    async def _clock(self, _http: web.Request) -> Any:
        return {"now": self.engine.world.clock.now().isoformat(), "speed": self.speed}

    async def _advance(self, http: web.Request) -> Any:
        asked, clock = await http.json(), self.engine.world.clock
        clock.advance(float(asked.get("advance", 0.0)))
        self.engine.tick()
        if asked.get("tells") == "real" and isinstance(clock, WallClock):
            clock.tell_real_time()
        self._dirty = True
        return await self._clock(http)

    async def _shutdown(self, _http: web.Request) -> Any:
        self.stopping.set()
        return {"stopping": True}

    # --- background --------------------------------------------------------------------------------------

    async def _background(self, _app: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._tick()), asyncio.create_task(self._keep())]
        yield
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        self.save()

    async def _tick(self) -> None:
        while self.speed:
            self.engine.tick()
            await asyncio.sleep(TICK_SECONDS)

    async def _keep(self) -> None:
        pause = SAVE_SECONDS
        while self.state is not None:
            await asyncio.sleep(pause)
            if self._dirty:
                began = time.monotonic()
                self._dirty = False
                self.save()
                pause = max(SAVE_SECONDS, SAVE_SHARE * (time.monotonic() - began))


def _plain(one: Any) -> dict[str, Any]:
    shown = dataclasses.asdict(one)
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in shown.items()}


def _json(body: Any, *, status: int = 200) -> web.Response:
    return web.json_response(body, status=status)


def _response(answer: Answer) -> web.Response:
    if isinstance(answer.body, str):
        kind = "text/html" if answer.body.lstrip().startswith("<") else "application/json"
        return web.Response(text=answer.body, status=answer.status, content_type=kind)
    text = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":"))
    return web.Response(text=text, status=answer.status, content_type="application/json")
