"""A large lab for measuring: 5,000 domains, 20,000 users, 15,000 VMs, with a little drift of most kinds."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, product

from sync.sandbox.worlds.blueprint import Blueprint, Machine, Tenant
from sync.sandbox.worlds.people import everybody, words

DOMAINS = 5_000
USERS_EACH = 4
VMS_EACH = 3
MISSING = 40
"""Projects without a domain, besides the 5,000."""

WHAT = words(
    "adaptive algebraic atomic bayesian bilinear causal chaotic coastal cohesive complex convex coupled "
    "cubic deep  dense discrete distributed dynamic elastic elliptic embedded entropic ergodic exact "
    "fast finite fluid formal  fractal fuzzy generic geometric global granular harmonic hidden hybrid "
    "implicit inverse kinetic latent lazy  linear local logical magnetic modal modular molecular neural "
    "nonlinear optical optimal orbital parallel  periodic planar polar porous quantum radial random "
    "rapid robust seismic semantic sparse spectral stable static  stochastic symbolic tensor thermal "
    "topological viscous"
)
OF_WHAT = words(
    "agents alloys archives arrays atlas beams bodies cells channels circuits climate clusters codes "
    "contacts  crystals currents data dynamics fields filters flames flows foams forests games genomes "
    "glaciers graphs grids  images kernels lattices layers lenses logics maps markets matter meshes "
    "models motion networks oceans  particles paths phases plasma proofs proteins queries rays reefs "
    "robots scenes sensors shapes shells signals  solvers sounds spaces streams surfaces swarms systems "
    "tides traces trees types vision waves words"
)


def large() -> Blueprint:
    """The large lab. The first projects drift: their number decides how (see the constants and `_tenant`)."""
    names = [f"{what}-{of}" for what, of in product(WHAT, OF_WHAT)]
    people = everybody()
    tenants = []
    for number, name in enumerate(names[: DOMAINS + MISSING]):
        owner, *others = islice(people, USERS_EACH)
        members = (replace(owner, role="owner"), *others)
        machines = tuple(_machine(name, index) for index in range(VMS_EACH))
        tenants.append(
            Tenant(
                name=name,
                members=members,
                machines=machines,
                quotas={"vm": 10},
                limits={"vm": 5} if number % 97 == 5 else {},
                network_domain=f"{name}.ci.example.org",
                is_known=number % 211 != 7,
                has_domain=number < DOMAINS,
                age_days=3000 - number // 2,
            )
        )
    return Blueprint(tenants=tuple(tenants))


def _machine(project: str, index: int) -> Machine:
    name = f"{project}-agent-{index + 1}"
    return Machine(
        name=name, template="", address=f"10.1.1.{11 + index}", agent=name, offering="Small Instance"
    )
