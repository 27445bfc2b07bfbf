"""Values that must not be seen: what hides them, and how URLs and foreign texts are shown without them."""

from __future__ import annotations

import hmac
import re
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "••••"

_USERINFO = re.compile(r"(://)[^\s/]*:.*@")
_SHORTEST_REPLACED = 4


class Secret:
    """A text whose repr, str and format hide it. `reveal` is the only way to the text itself."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, specification: str) -> str:
        return format(HIDDEN, specification)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is never written out")


def shown_url(url: str) -> str:
    """A database URL as it may be printed: scheme, host and database; never user, password or options.

    Cuts at the last `@`, because an unescaped password may itself contain `@`, `/` or `?`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return HIDDEN
    if not scheme.startswith("sqlite"):
        rest = rest.rpartition("@")[2]
    return f"{scheme}://{rest.partition('?')[0]}"


def without_secrets(text: str, secrets: tuple[str, ...], *, limit: int = 300) -> str:
    """One line of a foreign text (a driver's message) without any of `secrets`, in any usual spelling.

    Where a secret is too short to be replaced without giving its place away, nothing of the text is kept.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        spellings = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), unquote(secret)}
        # As a request to CloudStack is signed.
        spellings.add(quote(secret, safe="*"))
        spellings |= {repr(secret)[1:-1], secret.encode("unicode_escape").decode("ascii")}
        if min(map(len, spellings)) < _SHORTEST_REPLACED:
            if any(spelling in text for spelling in spellings):
                return ""
            continue
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, HIDDEN)
    line = " ".join(_USERINFO.sub(rf"\1{HIDDEN}@", text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
