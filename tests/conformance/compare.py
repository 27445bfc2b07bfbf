"""Comparing a recorded answer with the sandbox's: ids are paired, times and volatile ones are not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SECRET = re.compile(r"(apikey|secretkey)-\d{3}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}")
NATURAL = ("name", "username", "path", "type", "state", "resource", "resourcetype", "resourcename")
"""What a row is known by where its id is not known yet."""
STATISTICS = frozenset(
    (
        *(
            "cpuused",
            "diskioread",
            "diskiowrite",
            "diskkbsread",
            "diskkbswrite",
            "memoryintfreekbs",
            "memorykbs",
        ),
        *("memorytargetkbs", "networkkbsread", "networkkbswrite"),
    )
)
"""VM statistics come and go with a collector: their keys may be absent or present."""
VOLATILE = STATISTICS | frozenset(
    (
        *("hostid", "hostname", "storage", "storageid", "storagename", "primarystoragename"),
        *("clusterid", "clustername", "publicmacaddress", "guestmacaddress", "linklocalmacaddress"),
        *("ipaddress", "publicip", "publicipaddress", "linklocalip", "guestipaddress", "macaddress", "vlan"),
        *("broadcasturi", "isolationuri", "url", "fingerprint", "zonetoken"),
        *("lastagents", "agents", "agentscount", "pendingjobscount"),
        *("lastserverstart", "lastserverstop", "lastboottime"),
        *("javadistribution", "javaversion", "osdistribution"),
        *("capacityallocated", "capacityused", "capacitytotal", "percentused", "cpuallocated"),
        *("virtualsize", "physicalsize", "utilization", "receivedbytes", "sentbytes", "downloaddetails"),
        *("networkread", "networkwrite", "diskread", "diskwrite"),
    )
)
"""Hosts and storages (which one it is), addresses, urls, statistics, capacities: only the type counts."""
PLACES = re.compile(r"\.zone\[[^]]*\]\.gpu(total|used)$|\.storage\[[^]]*\]\.name$")
"""Volatile where they stand, though not everywhere: a zone's GPU capacity, a pool's name."""
NUMBERS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=\bi-)\d+-\d+(?=-VM)",
        r"(?<=\br-)\d+(?=-VM)",
        r"(?<=\bROOT-)\d+",
        r"(?<=\bDATA-)\d+",
        r"(?<=\[)\d+(?=\])",
        r"(?<=_)\d{14}\b",
        r"(?i)(?<=\bid )\d+",
        r"(?i)(?<=\bid=)\d+",
        r"(?i)(?<=\bid: )\d+",
        r"(?i)(?<=\bid = )\d+",
        r"(?<=\"id\":)\d+",
        r"(?<=\"id\": )\d+",
        r"(?i)(?<=\bdomain )\d+",
        r"(?i)(?<=\bdomain: )\d+",
        r"^\d+(?= - API key pair)",
        r"(?<=^PrjAcct-)(.*-)\d+$",
        r"(?<=\bcs)[0-9a-f]+(?=cloud\.internal)",
        r"(?<=VM_VS_)\d+",
    )
)
"""Internal numbers in texts and names, and times in the names of snapshots: one placeholder."""


@dataclass
class Pairs:
    """Recorded ids and the sandbox's own, one to one."""

    ours: dict[str, str] = field(default_factory=dict)
    """Recorded id → the sandbox's."""
    recorded: dict[str, str] = field(default_factory=dict)

    def add(self, recorded: str, ours: str) -> bool:
        """Pair two ids; False where one of them is another's partner already."""
        if self.ours.setdefault(recorded, ours) != ours:
            return False
        return self.recorded.setdefault(ours, recorded) == recorded

    def copy(self) -> Pairs:
        """A copy to try a comparison on."""
        return Pairs(dict(self.ours), dict(self.recorded))

    def rewrite(self, value: str) -> str:
        """A request's parameter with every known recorded id replaced by the sandbox's."""
        if value in self.ours:
            return self.ours[value]
        return UUID.sub(lambda found: self.ours.get(found[0], found[0]), value)


@dataclass
class Comparison:
    """One recorded body against one of the sandbox's; `differences` say where they part."""

    pairs: Pairs
    open: bool = False
    cut: bool = False
    differences: list[str] = field(default_factory=list)

    def compare(self, recorded: Any, ours: Any, where: str = "", key: str = "") -> None:
        """Compare two values, and everything in them."""
        if type(recorded) is not type(ours):
            self._differ(where, recorded, ours)
        elif isinstance(recorded, dict):
            self._dicts(recorded, ours, where)
        elif isinstance(recorded, list):
            self._lists(recorded, ours, where)
        elif isinstance(recorded, str):
            self._texts(recorded, ours, where, key)
        elif recorded != ours and key not in VOLATILE and not PLACES.search(where):
            self._differ(where, recorded, ours)

    def _differ(self, where: str, recorded: Any, ours: Any) -> None:
        self.differences.append(f"{where or 'body'}: recorded {_short(recorded)}, sandbox {_short(ours)}")

    def _dicts(self, recorded: dict[str, Any], ours: dict[str, Any], where: str) -> None:
        for key in recorded.keys() ^ ours.keys():
            if key not in STATISTICS:
                self._differ(
                    f"{where}.{key}", recorded.get(key, "(no such key)"), ours.get(key, "(no such key)")
                )
        for key in recorded.keys() & ours.keys():
            if key == "count" and (self.open or self.cut):
                self._open_count(recorded, ours, where)
            else:
                self.compare(recorded[key], ours[key], f"{where}.{key}", key)

    def _open_count(self, recorded: dict[str, Any], ours: dict[str, Any], where: str) -> None:
        if self.cut and not self.open:
            self.compare(recorded["count"], ours["count"], f"{where}.count")
            return
        rows = max((len(value) for value in ours.values() if isinstance(value, list)), default=0)
        if not isinstance(ours["count"], int) or ours["count"] < rows:
            self._differ(f"{where}.count", recorded["count"], ours["count"])

    def _lists(self, recorded: list[Any], ours: list[Any], where: str) -> None:
        if not all(isinstance(row, dict) for row in (*recorded, *ours)):
            self._plain_lists(recorded, ours, where)
            return
        rows = list(range(len(ours)))
        matched, left = self._pair_rows(recorded, ours, rows)
        for number, other in matched:
            self.compare(recorded[number], ours[other], f"{where}[{_name(recorded[number], number)}]")
        if self.open:
            for number, other in zip(left, rows, strict=False):
                self._shapes(recorded[number], ours[other], f"{where}[{number}]")
        if len(recorded) != len(ours) and not (self.cut and not left):
            missing = [_name(recorded[number], number) for number in left]
            extra = [_name(ours[number], number) for number in rows]
            self._differ(
                where, f"{len(recorded)} rows, not matched {missing}", f"{len(ours)} rows, extra {extra}"
            )

    def _pair_rows(
        self, recorded: list[Any], ours: list[Any], rows: list[int]
    ) -> tuple[list[tuple[int, int]], list[int]]:
        matched: list[tuple[int, int]] = []
        left = list(range(len(recorded)))
        for find in (self._by_id, self._by_key, None):
            if find is None and (self.open or self.cut):
                break
            for number in list(left):
                other = rows[0] if find is None and rows else None
                if find is not None:
                    other = find(recorded[number], ours, rows)
                if other is not None:
                    matched.append((number, other))
                    left.remove(number)
                    rows.remove(other)
        return matched, left

    def _by_id(self, row: dict[str, Any], ours: list[Any], rows: list[int]) -> int | None:
        for key in ("id", "jobid"):
            partner = self.pairs.ours.get(str(row.get(key)))
            if partner is not None:
                return next((number for number in rows if ours[number].get(key) == partner), None)
        return None

    def _by_key(self, row: dict[str, Any], ours: list[Any], rows: list[int]) -> int | None:
        if "id" in row and str(row["id"]) in self.pairs.ours:
            return None
        keys = NATURAL if any(key in row for key in NATURAL) else ("description",)
        wanted = [_plain(row.get(key)) for key in keys]
        if all(value is None for value in wanted):
            return None
        for number in rows:
            known = str(ours[number].get("id")) in self.pairs.recorded
            if not known and [_plain(ours[number].get(key)) for key in keys] == wanted:
                return number
        return None

    def _plain_lists(self, recorded: list[Any], ours: list[Any], where: str) -> None:
        if where.rsplit(".", 1)[-1] in VOLATILE:
            return
        if len(recorded) != len(ours):
            self._differ(where, recorded, ours)
            return
        for number, (one, other) in enumerate(zip(recorded, ours, strict=True)):
            self.compare(one, other, f"{where}[{number}]")

    def _shapes(self, recorded: Any, ours: Any, where: str) -> None:
        """Keys and types only."""
        if type(recorded) is not type(ours):
            self._differ(where, recorded, ours)
        elif isinstance(recorded, dict):
            for key in recorded.keys() | ours.keys():
                if key in recorded and key in ours:
                    self._shapes(recorded[key], ours[key], f"{where}.{key}")
                elif key not in STATISTICS:
                    self._differ(f"{where}.{key}", recorded.get(key), ours.get(key))

    def _texts(self, recorded: str, ours: str, where: str, key: str) -> None:
        if key in VOLATILE or PLACES.search(where):
            return
        if TIME.fullmatch(recorded):
            if not TIME.fullmatch(ours):
                self._differ(where, recorded, ours)
        elif UUID.fullmatch(recorded) or SECRET.fullmatch(recorded):
            if not self.pairs.add(recorded, ours):
                self._differ(where, f"{recorded} = {self.pairs.ours.get(recorded)}", ours)
        elif self._normal(recorded, self.pairs.ours) != self._normal(
            ours, dict.fromkeys(self.pairs.recorded)
        ):
            self._differ(where, recorded, ours)

    def _normal(self, text: str, known: dict[str, Any]) -> str:
        """A text with known ids as the sandbox's, unknown ones and internal numbers as placeholders."""
        text = UUID.sub(lambda found: known.get(found[0], "<id>") or found[0], text)
        for pattern in NUMBERS:
            text = _masked(pattern, text)
        return text


def _masked(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: f"{found[1]}#" if pattern.groups else "#", text)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        for pattern in NUMBERS:
            value = _masked(pattern, value)
    return value


def _name(row: Any, number: int) -> str:
    if isinstance(row, dict):
        for key in ("name", "username", "description", "id", "jobid"):
            if key in row:
                return f"{row[key]}"
    return str(number)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
