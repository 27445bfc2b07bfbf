"""How the API refuses: one exception with HTTP status, cserrorcode and text, and makers of the usual ones."""

from __future__ import annotations

from typing import Any

UUID_LIST_SERIAL = -7514266713085362352
"""What 4.18 leaks into every entry of `uuidList` (recorded in identity, 4.18)."""


class ApiError(Exception):
    """A refusal. As the answer to a call, or, raised in a job after `Queued`, as the job's result."""

    def __init__(
        self,
        status: int,
        text: str,
        cserrorcode: int | None = 4250,
        *,
        entities: tuple[tuple[str, str], ...] = (),
        wrapper: str | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.cserrorcode = cserrorcode
        self.entities = entities
        """(uuid, description) pairs of the `uuidList`."""
        self.wrapper = wrapper
        """Another wrapper than `<command>response`."""

    def body(self, release: str) -> dict[str, Any]:
        """The inner object of the answer."""
        serial = {"serialVersionUID": UUID_LIST_SERIAL} if release == "4.18" else {}
        uuids = [serial | {"uuid": uuid, "description": text} for uuid, text in self.entities]
        made: dict[str, Any] = {"uuidList": uuids, "errorcode": self.status}
        if self.cserrorcode is not None:
            made["cserrorcode"] = self.cserrorcode
        return made | {"errortext": self.text}


def invalid(text: str, *entities: tuple[str, str]) -> ApiError:
    """A Java InvalidParameterValueException: 431, 4350."""
    return ApiError(431, text, 4350, entities=entities)


def refused_parameter(command: str, why: str) -> ApiError:
    """What the parameter check says before a command runs: 431, 9999."""
    return ApiError(431, f"Unable to execute API command {command.lower()} due to {why}", 9999)


def unknown_entity(command: str, parameter: str, value: str) -> ApiError:
    """An id that no object has."""
    return refused_parameter(
        command,
        f"invalid value. Invalid parameter {parameter} value={value} due to incorrect long value format, or "
        "entity does not exist or due to incorrect parameter annotation for the field in api cmd class.",
    )


def failed(text: str, *entities: tuple[str, str]) -> ApiError:
    """A Java CloudRuntimeException: 530, 4250."""
    return ApiError(530, text, 4250, entities=entities)


def unauthorized() -> ApiError:
    """Bad key, bad signature, disabled user or no such command: always the same 401."""
    return ApiError(401, "unable to verify user credentials and/or request signature", None)


def not_permitted(text: str) -> ApiError:
    """A Java PermissionDeniedException: 531, 4365."""
    return ApiError(531, text, 4365)
