"""The API's rate limit: so many calls in an interval for every account but root admins', then 429."""

from __future__ import annotations

from datetime import datetime

from sync.sandbox.errors import ApiError
from sync.sandbox.records import User, World

ROOT_ADMIN = 1


class Limiter:
    """Counts the calls of each account in its current interval."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[datetime, int]] = {}

    def check(self, world: World, user: User) -> None:
        """Count one call. Raises ApiError (429) above the limit, with the wait in the text."""
        if world.settings.get("api.throttling.enabled") != "true":
            return
        account = world.account_of(user)
        if account.type == ROOT_ADMIN:
            return
        interval = float(world.settings.get("api.throttling.interval", "1"))
        maximum = int(world.settings.get("api.throttling.max", "25"))
        now = world.now()
        since, calls = self._counted.get(account.id, (now, 0))
        if (now - since).total_seconds() >= interval:
            since, calls = now, 0
        self._counted[account.id] = (since, calls + 1)
        if calls >= maximum:
            wait = int((interval - (now - since).total_seconds()) * 1000)
            text = "The given user has reached his/her account api limit, please retry after"
            raise ApiError(429, f"{text} [{wait}] ms.", 9999)
