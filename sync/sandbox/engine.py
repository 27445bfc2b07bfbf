"""Dispatch: who calls, may they, are the parameters right, run the command, wrap the answer.

Commands register themselves with `@command`; the modules of sync.sandbox.commands hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.sandbox import auth, eventlog, permissions, throttle
from sync.sandbox.errors import ApiError, invalid, refused_parameter, unauthorized, unknown_entity
from sync.sandbox.jobs import LockTable, Queued, Tasks, Work
from sync.sandbox.paging import Listing, check_page, page_of
from sync.sandbox.records import AccessEntry, Account, Job, User, World
from sync.sandbox.scope import Scope

LONGEST = 255
"""Characters of a text parameter."""
JAVA = "org.apache.cloudstack.api.command."


@dataclass(frozen=True)
class Command:
    """One API command of the sandbox."""

    name: str
    run: Callable[[Call], Any]
    answer: str | None
    """Key around what the function returned; None: it returned the inner object itself."""
    required: tuple[str, ...]
    entities: Mapping[str, str | tuple[str, ...]]
    """Parameters that are ids → their tables."""
    integers: frozenset[str]
    job: str | None
    """Java class of the job; None: synchronous."""
    instance: str | None
    releases: frozenset[str] | None
    """The releases that know it; None: all."""
    service: str
    """Field of ServiceTimes for how long the synchronous call takes."""
    texts: Mapping[str, str]
    """Parameters of at most LONGEST characters → the Java field's name, as the refusal has it."""


COMMANDS: dict[str, list[Command]] = {}
"""By lower-cased name; more than one where the releases differ in kind."""
BACKGROUND: list[tuple[str, Callable[[World], Work]]] = []
"""(setting with the interval in seconds, generator function)."""


@dataclass
class Call:
    """One request that passed the door."""

    engine: Engine
    world: World
    command: Command
    params: dict[str, str]
    """By lower-cased name."""
    caller: User
    account: Account
    now: datetime

    @property
    def release(self) -> str:
        """4.23 or 4.18."""
        return self.world.release

    def get(self, name: str, default: str | None = None) -> str | None:
        """A parameter, or the default where it is absent."""
        return self.params.get(name, default)

    def required(self, name: str) -> str:
        """A parameter; its absence is refused as the API does."""
        if name not in self.params:
            raise refused_parameter(self.command.name, f"missing parameter {name}")
        return self.params[name]

    def boolean(self, name: str, default: bool = False) -> bool:
        """A parameter as a boolean; everything but `true` is silently false."""
        return self.params[name].lower() == "true" if name in self.params else default

    def integer(self, name: str, default: int | None = None) -> int | None:
        """A parameter as a whole number. Raises ApiError (431)."""
        if name not in self.params:
            return default
        try:
            return int(self.params[name])
        except ValueError:
            raise refused_parameter(
                self.command.name, f'invalid value. Invalid parameter value "{self.params[name]}" for {name}'
            ) from None

    def entity(self, name: str, *tables: str) -> Any | None:
        """The record an id parameter names, removed ones too; None if absent. Raises ApiError (431, 9999)."""
        value = self.params.get(name)
        if not value:
            return None
        for table in tables:
            found = self.world.find(table, value)
            if found is not None:
                return found
        raise unknown_entity(self.command.name, name, value)

    def map_of(self, name: str) -> list[dict[str, str]]:
        """An indexed parameter: `tags[0].key=…&tags[0].value=…` → a list of dicts."""
        found: dict[int, dict[str, str]] = {}
        for key, value in self.params.items():
            head, bracket, rest = key.partition("[")
            number, closed, inner = rest.partition("]")
            if head == name.lower() and bracket and closed and number.isdigit():
                found.setdefault(int(number), {})[inner.lstrip(".")] = value
        return [found[number] for number in sorted(found)]

    def scope(self) -> Scope:
        """Which owners a list may show: `account`, `domainid`, `isrecursive`, `listall`, `projectid`."""
        return Scope.of(self.world, self.account, self.params, find=self.entity)

    def may_see(self, owned: Any) -> bool:
        """Whether the caller may touch what an account (or domain) owns."""
        return permissions.may_see(self.world, self.account, owned)

    def owner(self) -> Account:
        """The account that something is made for: by `account` and `domainid`, `projectid`, or the caller.

        Raises ApiError (431) for an account that is not there.
        """
        project = self.entity("projectid", "projects")
        if project is not None:
            owner = self.world.accounts.get(project.account_id)
            if owner is None:
                raise invalid(f"Unable to find project by id {project.id}")
            return owner
        if "account" not in self.params:
            return self.account
        domain = self.entity("domainid", "domains") or self.world.domain_of(self.account)
        found = self.world.account_named(self.params["account"], domain.id)
        if found is None or not self.may_see(found):
            name = self.params["account"]
            raise invalid(f"Unable to find account {name} in domain with specified domainId")
        return found

    def done(
        self, type: str, working: str, *, resource: Any = None, resource_type: str | None = None
    ) -> None:
        """Log the event of a synchronous command that went well."""
        eventlog.log_done(
            self.world, type, working, user=self.caller, resource=resource, resource_type=resource_type
        )


def command(
    name: str,
    *,
    required: tuple[str, ...] = (),
    answer: str | None = None,
    entities: Mapping[str, str | tuple[str, ...]] | None = None,
    integers: Iterable[str] = (),
    job: str | None = None,
    instance: str | None = None,
    releases: Iterable[str] | None = None,
    service: str = "",
    texts: Mapping[str, str] | None = None,
) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Register an API command.

    A function with `job` is a generator (see jobs.Work) whose first yield is `Queued`; the others return the
    inner object, or a `Listing`. `required` are checked in the order given, before `entities`.
    """

    def register(run: Callable[[Call], Any]) -> Callable[[Call], Any]:
        reads = name.lower().startswith(("list", "get", "query"))
        made = Command(
            name=name,
            run=run,
            answer=answer,
            required=required,
            entities=entities or {},
            integers=frozenset(integers),
            job=JAVA + job if job and not job.startswith(JAVA) else job,
            instance=instance,
            releases=frozenset(releases) if releases is not None else None,
            service=service or ("read" if reads else "write"),
            texts=texts or {},
        )
        COMMANDS.setdefault(name.lower(), []).append(made)
        return run

    return register


def background(setting: str) -> Callable[[Callable[[World], Work]], Callable[[World], Work]]:
    """Register a task that the server repeats every so many seconds, by a setting."""

    def register(run: Callable[[World], Work]) -> Callable[[World], Work]:
        BACKGROUND.append((setting, run))
        return run

    return register


def known_command(name: str, release: str) -> Command | None:
    """The command of that name in a release."""
    for one in COMMANDS.get(name.lower(), ()):
        if one.name == name and (one.releases is None or release in one.releases):
            return one
    return None


@dataclass(frozen=True)
class Request:
    """An HTTP request, without the server's own types."""

    params: Mapping[str, str]
    """As sent, with key, signature and expiry."""
    method: str = "GET"
    client: str = ""
    """The User-Agent header."""
    remote: str = "127.0.0.1"


@dataclass
class Answer:
    """What goes back; `seconds` is how long the server should take for it (virtual)."""

    status: int
    body: Any
    seconds: float = 0.0
    hashing: bool = False
    """Those seconds are spent hashing a password: they queue for the server's cores."""


class Engine:
    """A world with its tasks: answers requests and lets background work go on."""

    on_access: Callable[[AccessEntry], None] | None = None
    """Told each entry of the access log. On the class (as a staticmethod): of every engine of the process."""

    def __init__(self, world: World, *, locks: LockTable | None = None) -> None:
        self.world = world
        self.tasks = Tasks(world, locks)
        self.limiter = throttle.Limiter()
        self.storage = "http://192.168.0.3"
        """Base of the addresses of downloads; the server sets its own."""
        self.downloads: dict[str, str] = {}
        """Name in an address → id of the object."""
        for setting, run in BACKGROUND:
            if setting in world.settings:
                self.tasks.spawn(self._repeat(setting, run))

    def address_of(self, one: Any) -> str:
        """Where an object that was made ready can be downloaded from."""
        name = f"{self.world.new_id()}.raw"
        self.downloads[name] = one.id
        return f"{self.storage}/userdata/{name}"

    def tick(self) -> None:
        """Run everything that is due."""
        self.tasks.run_due()

    def handle(self, request: Request) -> Answer:
        """Answer one request, and log it.

        What is due happens after the caller was let in: a request under way outlives its user (recorded in
        cutoff, 4.18: the poll of the job that disables the caller still answers 200).
        """
        params = {key.lower(): value for key, value in request.params.items()}
        name = params.get("command", "")
        user: User | None = None
        wrapper = f"{name.lower()}response" if self.knows(name) else "errorresponse"
        seconds = 0.0
        service = ""
        try:
            user = auth.authenticate(self.world, request)
            self.tick()
            found = self._permitted(name, user, request)
            service = found.service
            account = self.world.account_of(user)
            call = Call(self, self.world, found, params, user, account, self.world.now())
            inner = self._run(call)
            seconds = self._seconds(found, inner)
            taken = seconds if self.world.service_times.simulate else 0.0
            answer = Answer(200, {wrapper: inner}, taken, service.startswith("hash"))
        except ApiError as error:
            self.tick()
            answer = Answer(error.status, {error.wrapper or wrapper: error.body(self.world.release)})
        self._log(request, params, user, answer.status, seconds=seconds, service=service)
        return answer

    def log(self, request: Request, status: int) -> None:
        """Log a request that was answered (0: not at all) without the engine."""
        params = {key.lower(): value for key, value in request.params.items()}
        self._log(request, params, None, status)

    def knows(self, name: str) -> bool:
        """Whether the release has an API command of that name."""
        return known_command(name, self.world.release) is not None

    def submit(self, call: Call) -> dict[str, Any]:
        """Start an asynchronous command: its first part runs now, the rest in a job."""
        work: Work = call.command.run(call)
        queued = next(work)
        assert isinstance(queued, Queued), f"{call.command.name} must yield Queued first"
        assert call.command.job is not None
        world = self.world
        job = Job(
            id=world.new_id(),
            number=world.next_number("jobs"),
            command=call.command.name,
            java_class=call.command.job,
            user_id=call.caller.id,
            account_id=call.account.id,
            instance_type=call.command.instance if queued.with_instance else None,
            instance_id=queued.instance_id,
            created=world.now(),
        )
        world.put("jobs", job)
        if job.instance_id is not None:
            world.pending[job.instance_id] = job.id
        caller = call.caller
        if queued.event is not None:
            job.event_id = eventlog.log_job_step(world, queued.event, user=caller, state="Scheduled").id

        def started() -> None:
            job.started = True
            if queued.event is not None:
                eventlog.log_job_step(
                    world, queued.event, user=caller, state="Started", parent_id=job.event_id
                )

        def done(result: dict[str, Any] | None, error: ApiError | None) -> None:
            job.completed = world.now()
            if job.instance_id is not None and world.pending.get(job.instance_id) == job.id:
                del world.pending[job.instance_id]
            job.status = 1 if error is None else 2
            job.result_code = 0 if error is None else error.status
            job.result = result
            if error is not None:
                job.result = {"errorcode": error.status, "errortext": error.text}
            if queued.event is not None:
                eventlog.log_job_step(
                    world,
                    queued.event,
                    user=caller,
                    state="Completed",
                    parent_id=job.event_id,
                    failed=error is not None,
                )

        delay = queued.delay
        if delay is None:
            delay = world.service_times.of("job_start", world.service_times.job_start)
        self.tasks.spawn(work, delay=delay, started=started, done=done)
        made = {"jobid": job.id}
        return made if queued.entity_id is None else {"id": queued.entity_id} | made

    def _permitted(self, name: str, user: User, request: Request) -> Command:
        found = known_command(name, self.world.release)
        if found is None:
            raise unauthorized()
        permissions.check_command(self.world, user, found.name)
        auth.check_source(self.world, user, request.remote)
        self.limiter.check(self.world, user)
        return found

    def _run(self, call: Call) -> Any:
        found = call.command
        for name in found.required:
            call.required(name)
        for name, field in found.texts.items():
            if len(call.params.get(name, "")) > LONGEST:
                why = f"invalid value. Value greater than max allowed length {LONGEST} for param: {field}"
                raise refused_parameter(found.name, why)
        for name, tables in found.entities.items():
            if call.params.get(name) != "-1":
                call.entity(name, *((tables,) if isinstance(tables, str) else tables))
        for name in found.integers:
            call.integer(name)
        maximum = int(self.world.setting("default.page.size"))
        if found.name.startswith("list"):
            check_page(found.name, call.params, maximum)
        if found.job is not None:
            return self.submit(call)
        result = found.run(call)
        if isinstance(result, Listing):
            return page_of(result, found.answer or found.name, call.params, maximum)
        return result if found.answer is None else {found.answer: result}

    def _seconds(self, found: Command, inner: Any) -> float:
        times = self.world.service_times
        seconds = times.of(found.name, times.of(found.service, getattr(times, found.service)))
        if found.name == "listDomains":
            rows = inner.get("domain", [])
            each = times.read_domain_row if rows and "vmlimit" in rows[0] else times.read_domain_row_min
            seconds += each * len(rows)
        return seconds

    def _repeat(self, setting: str, run: Callable[[World], Work]) -> Work:
        while True:
            yield float(self.world.settings[setting])
            yield from run(self.world)

    def _log(
        self,
        request: Request,
        params: dict[str, str],
        user: User | None,
        status: int,
        *,
        seconds: float = 0.0,
        service: str = "",
    ) -> None:
        key = params.get("apikey", "")
        known = user or self.world.user_with_key(key)
        entry = AccessEntry(
            time=self.world.now(),
            command=params.get("command", ""),
            account=self.world.account_of(known).name if known else "",
            user=known.username if known else "",
            client=request.client,
            method=request.method,
            status=status,
            target=params.get("id", ""),
            name=params.get("name") or params.get("account") or params.get("username") or "",
            cleanup=params.get("cleanup", "").lower() == "true",
            seconds=seconds,
            hashing=service.startswith("hash"),
        )
        self.world.access_log.append(entry)
        if self.on_access is not None:
            self.on_access(entry)
