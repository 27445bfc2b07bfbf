"""OpenSSH's signatures: made and verified by `ssh-keygen`, which alone decides. Read here for reasons.

Whatever is verified is copied into a folder of our own first, so that nothing changes between two looks.
Parameters of `ssh-keygen -Y` as measured on OpenSSH 9.2; it is there since 8.2, `verify-time` since 8.7.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sync.errors import GuardError, UsageError

NAMESPACE = "abreast-plan"
"""What a signature is for: one made for mail, git or a login never counts."""

LONGEST_SIGNATURE = 64 * 1024
"""Bytes of a signature file; one with a certificate has about 2,000."""

_SECONDS = 30.0
"""For one look of ssh-keygen, which takes some milliseconds."""

_ARMOUR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\s(.*?)\s-----END SSH SIGNATURE-----\s*", re.DOTALL)
_WORD = re.compile(r'(?:[^\s"]|"(?:\\.|[^"\\])*")+')


class DamagedError(ValueError):
    """A file is no whole SSH signature."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an SSH signature says about itself: nothing of it is proven by being read."""

    namespace: str
    key: bytes
    """The public key or certificate, in OpenSSH's own encoding."""

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.key)


def fingerprint_of(key: bytes) -> str:
    """`SHA256:…`, as ssh-keygen writes it for a plain key."""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def read_envelope(content: bytes) -> Envelope:
    """What a signature file says about itself. Raises DamagedError when it is cut off or no signature."""
    found = _ARMOUR.fullmatch(content)
    if found is None:
        raise DamagedError("it has no whole SSH signature in it")
    try:
        blob = base64.b64decode(b"".join(found[1].split()), validate=True)
    except binascii.Error:
        raise DamagedError("its base64 is damaged") from None
    if blob[:10] != b"SSHSIG\x00\x00\x00\x01":
        raise DamagedError("it is not an SSH signature of version 1")
    key, namespace, _, _, _ = _fields(blob[10:], 5)
    return Envelope(namespace.decode("utf-8", "replace"), key)


def _fields(blob: bytes, count: int) -> Iterator[bytes]:
    """`count` texts with their lengths before them, and nothing after them."""
    for _ in range(count):
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            raise DamagedError("it is cut off")
        yield blob[4 : 4 + length]
        blob = blob[4 + length :]
    if blob:
        raise DamagedError("something follows the signature")


# --- who may sign -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signer:
    """One line of an allowed_signers file."""

    principals: tuple[str, ...]
    """Names of one person. Patterns (`*@example.org`) name nobody and are left out."""
    key: bytes
    is_authority: bool = False
    """The key signs certificates, whose own principals say who it is."""


def read_signers(text: str) -> tuple[Signer, ...]:
    """All lines of an allowed_signers file.

    Raises ValueError, naming the line, when any of them cannot be read: ssh-keygen would pass over it, and
    with it over the person whom it was to name, or to take a key from.
    """
    signers = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                signers.append(_signer(line))
            except ValueError as problem:
                raise ValueError(f"line {number} {problem}") from None
    return tuple(signers)


def _signer(line: str) -> Signer:
    words = _WORD.findall(line)
    if len(words) < 3:
        raise ValueError("is not `NAMES [OPTIONS] KEYTYPE KEY`")
    names = words[0].strip('"')
    place = next((place for place in (1, 2) if _is_key(words[place : place + 2])), None)
    if place is None:
        raise ValueError("has no key that can be read")
    options = words[1].casefold() if place == 2 else ""
    return Signer(
        principals=tuple(name for name in names.split(",") if name and not _is_pattern(name)),
        key=base64.b64decode(words[place + 1]),
        is_authority="cert-authority" in re.sub(r'"[^"]*"', "", options).split(","),
    )


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?!")


def _is_key(words: Sequence[str]) -> bool:
    """Whether these are a type and a key of that type."""
    if len(words) < 2:
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return False
    kind = words[0].encode()
    return blob[:4] == len(kind).to_bytes(4, "big") and blob[4 : 4 + len(kind)] == kind


# --- signing and verifying ----------------------------------------------------------------------------------


def sign(text: bytes, key: Path, *, namespace: str = NAMESPACE) -> bytes:
    """A signature over `text`, by the private key, or by the agent or device that has the key of a `.pub`.

    ssh-keygen speaks to the terminal itself: it may ask for a passphrase or for a touch. Raises UsageError
    when it does not sign.
    """
    with tempfile.TemporaryDirectory(prefix="abreast-sign-") as name:
        file = Path(name) / "objects.txt"
        file.write_bytes(text)
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", namespace, str(file)]
        signed = file.with_name("objects.txt.sig")
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            raise _no_ssh_keygen() from None
        if done.returncode != 0 or not signed.exists():
            raise UsageError(
                f"ssh-keygen did not sign with {key}.",
                next_step="Name a private key, or the .pub of a key that an agent or a device holds.",
            )
        return signed.read_bytes()


def _no_ssh_keygen() -> GuardError:
    return GuardError("There is no ssh-keygen here.", next_step="Install OpenSSH's client.")


class Verifier:
    """Looks at signatures with ssh-keygen, against one file of allowed signers, as of one moment."""

    def __init__(self, signers: bytes, *, at: datetime, namespace: str = NAMESPACE) -> None:
        """`signers` is the content of the file, so that every look is at the same one."""
        self._signers = signers
        self._namespace = namespace
        # Without a zone OpenSSH takes it in the machine's own, which every release that has it understands.
        self._time = f"-Overify-time={at.astimezone():%Y%m%d%H%M%S}"

    def fits(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is a sound one over `text`, by whatever key. Raises GuardError."""
        return self._ask("check-novalidate", ("-n", self._namespace), text=text, signature=signature)[0]

    def principals(self, signature: bytes) -> tuple[str, ...]:
        """The names that the signature's key has in the file and now, without patterns. Raises GuardError."""
        found, said = self._ask(
            "find-principals", ("-f", "signers", self._time), text=b"", signature=signature
        )
        names = re.split(r"[,\n]", said) if found else []
        named = (name.strip() for name in names)
        return tuple(dict.fromkeys(name for name in named if name and not _is_pattern(name)))

    def verify(self, text: bytes, signature: bytes, principal: str) -> bool:
        """Whether `principal` signed `text`, for this purpose, with a key that is allowed now."""
        options = ("-f", "signers", "-I", principal, "-n", self._namespace, self._time)
        return self._ask("verify", options, text=text, signature=signature)[0]

    def _ask(self, verb: str, options: Sequence[str], *, text: bytes, signature: bytes) -> tuple[bool, str]:
        with tempfile.TemporaryDirectory(prefix="abreast-verify-") as name:
            (Path(name) / "signers").write_bytes(self._signers)
            (Path(name) / "sig").write_bytes(signature)
            try:
                done = subprocess.run(
                    ["ssh-keygen", "-Y", verb, "-s", "sig", *options],
                    input=text,
                    capture_output=True,
                    cwd=name,
                    env={**os.environ, "LC_ALL": "C"},
                    timeout=_SECONDS,
                    check=False,
                )
            except FileNotFoundError:
                raise _no_ssh_keygen() from None
            except subprocess.TimeoutExpired:
                raise GuardError(
                    f"ssh-keygen did not answer within {_SECONDS:.0f} s, so nothing is verified."
                ) from None
        return done.returncode == 0, done.stdout.decode("utf-8", "replace")
