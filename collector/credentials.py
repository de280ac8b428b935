"""Passwords as argon2 hashes, and secrets that nobody can guess, of which only the SHA-256 is stored."""

import hashlib
import hmac
import secrets
from functools import cache
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

FEWEST: Final = 10
MOST: Final = 200
TOKEN_PREFIX: Final = "rv_"  # noqa: S105 - what every token begins with
_AT_ONCE: Final = BoundedSemaphore(4)  # each takes 19 MiB while it is reckoned
_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's, of 2024


class WeakPasswordError(ValueError):
    """A password that anybody could guess; `key` names the text that says so."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def hashed(password: str) -> str:
    """The hash to store."""
    with _AT_ONCE:
        return _hasher.hash(password)


def matches(stored: str | None, given: str) -> bool:
    """Whether a password is the one stored; takes as long where none is."""
    with _AT_ONCE:
        try:
            found = _hasher.verify(stored or _nobodys(), given[:MOST])
        except (Argon2Error, InvalidHashError):
            return False
    return found and stored is not None


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe())


def check(password: str, person: str) -> None:
    """Raises `WeakPasswordError`."""
    if len(password) < FEWEST:
        raise WeakPasswordError("password_short", f"a password has {FEWEST} characters at least")
    if len(password) > MOST:
        raise WeakPasswordError("password_long", f"a password has {MOST} characters at most")
    plain = password.casefold()
    if len(set(plain)) < 4 or (person.casefold() in plain and len(plain) - len(person) < 4):
        raise WeakPasswordError("password_weak", "this password is too easy to guess")


def secret() -> str:
    """256 random bits, for a session or a link."""
    return secrets.token_urlsafe(32)


def api_token() -> str:
    """A token for scripts: `rv_…`."""
    return f"{TOKEN_PREFIX}{secret()}"


def digest(token: str) -> str:
    """What is stored of a secret, and found by it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def form_token(session: str) -> str:
    """What a form of this session carries: whoever lacks the session's secret cannot make it."""
    return hmac.new(session.encode("utf-8", "replace"), b"form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compares two secrets in a time that tells nothing."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
