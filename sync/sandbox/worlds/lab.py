"""The sample research lab: forty CI projects with their people, machines, templates and snapshots.

Everything follows from the table below; nothing is drawn at random. The order of creation (oldest first)
decides whom the drill's naive sync reaches before it is aborted: see `incident`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sync.sandbox.worlds.blueprint import Blueprint, Image, Machine, Person, Tenant
from sync.sandbox.worlds.people import ascii_name, everybody

LIMITED_TO = "dune"
"""The one project to which the July sync was limited: it survives."""
DYING = "aurora"
"""In deletion when the sync is aborted: the youngest that it reached."""
HOLLOW = "boreal"
"""Its clean-up fails at the end."""
UNEXPECTED = "zephyr"
"""A domain that the CI database does not know and that was there before."""

PUBLIC_IMAGES = (
    Image("debian-12-x86_64", os="Debian GNU/Linux 12 (64-bit)", size_gib=4, age_days=420),
    Image("debian-13-x86_64", size_gib=4, age_days=190),
    Image("ubuntu-22.04-x86_64", os="Ubuntu 22.04 LTS", size_gib=5, age_days=900),
    Image("ubuntu-24.04-x86_64", os="Ubuntu 24.04 LTS", size_gib=5, age_days=510),
    Image("fedora-42-x86_64", os="Fedora Linux (64 bit)", size_gib=5, age_days=240),
    Image("rocky-9-x86_64", os="Rocky Linux 9", size_gib=6, age_days=600),
    Image("windows-server-2022", os="Windows Server 2022 (64-bit)", size_gib=28, age_days=700),
    Image("freebsd-14.2", os="FreeBSD (64-bit)", size_gib=3, age_days=310),
)
"""What the CI team offers everybody; owned by the root admin, outside every project."""

SHORT = {
    "debian-12": "deb12",
    "debian-13": "deb13",
    "ubuntu-22.04": "ub22",
    "ubuntu-24.04": "ub24",
    "fedora-42": "f42",
    "rocky-9": "el9",
    "windows-server-2022": "win22",
    "freebsd-14.2": "fbsd14",
}
"""How the lab abbreviates systems in machine names."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One project of the table, youngest facts last."""

    name: str
    members: int
    machines: str
    """`template*count`, separated by blanks."""
    images: str = ""
    """Names of the project's own templates; its machines may be made of them."""
    quota: str = ""
    """`resource=maximum`, separated by blanks."""
    snapshots: int = 0
    """How many of its machines are snapshot weekly."""
    extra: Mapping[str, object] = dataclasses.field(default_factory=dict)


def _line(
    name: str,
    members: int,
    machines: str,
    images: str = "",
    quota: str = "",
    snapshots: int = 0,
    **extra: object,
) -> _Line:
    return _Line(name, members, machines, images, quota, snapshots, extra)


PROJECTS = (
    _line("abaque", 4, "debian-12*2 abaque-gcc14-openblas*2", "abaque-gcc14-openblas", "vm=8 template=4", 1),
    _line("alidade", 3, "ubuntu-22.04*1 alidade-proj9-gdal*1", "alidade-proj9-gdal", "vm=5"),
    _line("argile", 5, "rocky-9*1 argile-oneapi-2025*3", "argile-oneapi-2025", "vm=10 cpu=40", 2),
    _line(
        "astrolabe",
        6,
        "ubuntu-22.04*1 astrolabe-ros2-humble*2",
        "astrolabe-ros2-humble",
        "vm=8 snapshot=20",
        2,
    ),
    _line("balise", 3, "debian-12*2", "", "vm=4"),
    _line("bathyscaphe", 4, "fedora-42*1 ubuntu-24.04*1", "", "vm=6 volume=12", 1),
    _line("boussole", 2, "debian-13*1", "", "vm=3"),
    _line("calanque", 5, "calanque-scilab-build*2 windows-server-2022*1", "calanque-scilab-build", "vm=6", 1),
    _line("cirrus", 3, "ubuntu-24.04*2 cirrus-k3s-runner*1", "cirrus-k3s-runner", "vm=10 memory=65536"),
    _line(
        "corolle",
        6,
        "debian-12*1 corolle-bioconductor*2 rocky-9*1",
        "corolle-bioconductor corolle-nextflow",
        "vm=12 primarystorage=800",
        2,
    ),
    _line("delphinus", 4, "delphinus-julia-1.11*2", "delphinus-julia-1.11", "vm=5 template=3", 1),
    _line("écluse", 3, "debian-12*1 freebsd-14.2*1", "", "vm=5", stores_id=False),
    _line("faisceau", 5, "ubuntu-22.04*1 faisceau-geant4-11*3", "faisceau-geant4-11", "vm=8 snapshot=12", 2),
    _line("gouvernail", 3, "debian-13*2", "", "vm=4"),
    _line("grenat", 4, "grenat-ocaml-5.2*2 debian-12*1", "grenat-ocaml-5.2", "vm=6", 1),
    _line("havre", 0, "", "", "vm=2"),
    _line("isobare", 6, "rocky-9*2 isobare-netcdf-mpi*2", "isobare-netcdf-mpi", "vm=10 cpu=64", 2),
    _line("jusant", 4, "debian-12*2 jusant-openfoam-12*1", "jusant-openfoam-12", "vm=6", 1),
    _line("kepler-mesh", 3, "ubuntu-24.04*1 windows-server-2022*1", "", "vm=5"),
    _line(
        "lagrange-fem", 5, "debian-12*1 lagrange-petsc-slepc*2", "lagrange-petsc-slepc", "vm=8 template=6", 1
    ),
    _line("lemniscate", 2, "debian-13*1", "", ""),
    _line(
        LIMITED_TO,
        5,
        "debian-12*2 dune-clang19-asan*3",
        "dune-clang19-asan dune-gcc14",
        "vm=10 template=5",
        2,
    ),
    _line(
        "maille", 4, "ubuntu-22.04*1 maille-cgal-qt6*2 windows-server-2022*1", "maille-cgal-qt6", "vm=8", 1
    ),
    _line("méandre", 3, "debian-12*2", "", "vm=4", stores_id=False),
    _line(
        "NeuroVox", 6, "ubuntu-22.04*1 neurovox-cuda-12.4*3", "neurovox-cuda-12.4", "vm=10 memory=131072", 2
    ),
    _line("orme-proofs", 4, "orme-rocq-9*2", "orme-rocq-9", "vm=4", 1),
    _line("palimpseste", 3, "debian-12*1 palimpseste-texlive-2025*1", "palimpseste-texlive-2025", "vm=4"),
    _line(
        "pelagos",
        5,
        "rocky-9*1 pelagos-nemo-xios*2",
        "pelagos-nemo-xios",
        "vm=8 snapshot=15",
        1,
        nightly="pelagos-nightly",
    ),
    _line("quadrature", 3, "fedora-42*1 debian-13*1", "", "vm=4"),
    _line(
        "radiance",
        5,
        "ubuntu-24.04*1 radiance-vulkan-sdk*2 windows-server-2022*1",
        "radiance-vulkan-sdk",
        "vm=8",
    ),
    _line("sextant", 4, "debian-12*2", "", "vm=6 volume=10", 1),
    _line("strates", 3, "", "", "vm=3"),
    _line("tessera", 4, "debian-12*1 tessera-pharo-13*2", "tessera-pharo-13", "vm=6", 1),
    _line("vaguelette", 3, "ubuntu-22.04*2", "", "vm=5"),
    _line("varech", 2, "debian-13*1", "", "vm=3 template=2", no_agents=True),
    _line("boreal", 4, "rocky-9*1 boreal-esmf-8*2", "boreal-esmf-8", "vm=6", 1),
    _line(
        DYING,
        5,
        "debian-12*3 ubuntu-22.04*2 aurora-openmpi-5*3 windows-server-2022*1",
        "aurora-openmpi-5 aurora-hdf5-trilinos",
        "vm=12 snapshot=30 template=6",
        3,
    ),
    _line("ressac", 3, "debian-13*2", "", "vm=4", enabled=False),
    _line("xylème", 4, "debian-13*1 ubuntu-24.04*1", "", "vm=5", subdomains=("formation",)),
    _line("zénith", 3, "ubuntu-24.04*2", "", "vm=5"),
)
"""Oldest domain first."""

STRANGER = _line(UNEXPECTED, 3, "debian-12*2 zephyr-wind-lidar*2", "zephyr-wind-lidar", "", 1, is_known=False)

OFFERINGS = ("Small Instance", "Medium Instance")


def lab() -> Blueprint:
    """The lab on the eve of the incident: in sync, but for the stranger and for what troubles `dune`."""
    people = everybody()
    julie = next(people)
    tenants = []
    previous: tuple[Person, ...] = ()
    for place, line in enumerate((*PROJECTS, STRANGER)):
        tenant = _tenant(line, place, people, previous)
        previous = tenant.members or previous
        tenants.append(_troubled(tenant, julie) if tenant.name == LIMITED_TO else tenant)
    return Blueprint(
        tenants=tuple(tenants),
        images=PUBLIC_IMAGES,
        outside=("ROOT/teaching",),
        retired=(
            ("tramontane", "cdelorme", "2025-11-04T09:12:00", "project ended, archive in the data store"),
        ),
    )


def _troubled(tenant: Tenant, user: Person) -> Tenant:
    """What people were debugging in July: a user who cannot log in and a limit that is too low."""
    troubled = dataclasses.replace(user, role="member", enabled_in_cloud=False)
    return dataclasses.replace(tenant, members=(*tenant.members, troubled), limits={"vm": 5})


def _tenant(line: _Line, place: int, people: Iterator[Person], previous: tuple[Person, ...]) -> Tenant:
    extra = dict(line.extra)
    nightly = str(extra.pop("nightly", ""))
    no_agents = bool(extra.pop("no_agents", False))
    members = _members(line, place, people, previous)
    machines = tuple(_machines(line, place, nightly, agents=not no_agents))
    label = ascii_name(line.name, keep="-")
    return Tenant(
        name=line.name,
        members=members,
        machines=machines,
        images=tuple(
            Image(
                one, size_gib=9 + 3 * ((place + number) % 6), age_days=30 + 11 * ((place * 3 + number) % 20)
            )
            for number, one in enumerate(line.images.split())
        ),
        quotas={name: int(value) for name, _, value in (part.partition("=") for part in line.quota.split())},
        network_domain=f"{label}.ci.example.org",
        physical_agents=((f"{label}-macmini", f"192.0.2.{20 + place}"),)
        if place % 13 == 8 and not no_agents
        else (),
        cidr=f"10.{20 + place // 16}.{place % 16 * 16}.0/24",
        age_days=2900 - 68 * place,
        **extra,  # type: ignore[arg-type]
    )


def _members(
    line: _Line, place: int, people: Iterator[Person], previous: tuple[Person, ...]
) -> tuple[Person, ...]:
    """An owner, an admin in larger projects, members; every fifth project shares one with the one before."""
    if line.members == 0:
        return ()
    shared = [previous[-1]] if previous and place % 5 == 3 else []
    found = [*(next(people) for _ in range(line.members - len(shared))), *shared]
    roles = ["owner", "admin" if len(found) > 3 else "member", *["member"] * len(found)]
    members = [dataclasses.replace(one, role=role) for one, role in zip(found, roles, strict=False)]
    if place % 12 == 7:
        members[-1] = dataclasses.replace(members[-1], enabled=False)
    return tuple(members)


def _machines(line: _Line, place: int, nightly: str, *, agents: bool) -> Iterator[Machine]:
    label = ascii_name(line.name, keep="-")
    number = 0
    for part in line.machines.split():
        template, _, count = part.partition("*")
        system = SHORT.get(template, template.removeprefix(f"{label.partition('-')[0]}-"))
        for index in range(int(count)):
            name = f"{label}-{system.replace('.', '-')}-{index + 1}"
            snapshot = number < line.snapshots
            yield Machine(
                name=name,
                template=_template_name(template),
                address=f"10.{20 + place // 16}.{place % 16 * 16}.{11 + number}",
                agent=name.removeprefix(f"{label}-") if agents and (place + number) % 9 != 4 else "",
                offering=OFFERINGS[(place + number) % 2],
                state="Stopped"
                if (place + number) % 11 == 6 or line.extra.get("enabled") is False
                else "Running",
                disk_gib=40 if "windows" in template else 12,
                data_gib=50 if (place + number) % 8 == 3 else 0,
                age_days=40 + (place * 17 + number * 29) % 600,
                snapshot_ages=(2, 9, 16) if snapshot else (),
                project=nightly if nightly and number == 2 else "",
            )
            number += 1


def _template_name(template: str) -> str:
    """The public image of an abbreviated system, or the project's own template."""
    names = {one.name for one in PUBLIC_IMAGES}
    return next((name for name in names if name.removesuffix("-x86_64") == template), template)
