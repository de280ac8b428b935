"""Messages that are nearly right: the bytes of good ones, with something in their JSON put wrong."""

import json
import random
import zlib
from typing import Any, Final

STRANGE: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 2, 2**31, 2**53, 2**53 + 1, 2**62, 2**62 + 1, 2**63, 2**64, 10**400,
    -(2**63), 0.5, -0.0, 1e308, 5e-324, "", "a", "\0", "é" * 200, "x" * 257, "1", "NaN", [], {}, [[]], [{}],
    {"": 0}, "../../x", "b" * 36, 1_795_000_000_000, 86_400_000,
)  # fmt: skip
_NAMES: Final = (
    "network",
    "disconnects",
    "navigation",
    "goals",
    "arm",
    "grasps",
    "A",
    "",
    "c",
    "g",
    "t",
    "up",
    "seq",
)


def mutated(payload: bytes, seed: int) -> bytes | None:
    """The payload with one to three things changed; None where it is no JSON."""
    chance = random.Random(seed)
    try:
        plain = zlib.decompress(payload) if payload[:1] == b"\x78" else payload
        document = json.loads(plain)
    except (ValueError, RecursionError, zlib.error):
        return None
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        document = _change(document, chance)
    text = json.dumps(document).encode()
    return zlib.compress(text, 1) if chance.random() < 0.1 else text


def _change(node: Any, chance: random.Random) -> Any:
    """The node with something in it changed; the deeper, the likelier it ends here."""
    if isinstance(node, dict) and node and chance.random() < 0.85:
        return _change_object(dict(node), chance)
    if isinstance(node, list) and node and chance.random() < 0.85:
        return _change_list(list(node), chance)
    if isinstance(node, int) and chance.random() < 0.6:
        return node + chance.choice((-1, 1, 2, 30_000, -30_000, 86_400_000, -86_400_000, 1_000_000))
    return chance.choice(STRANGE)


def _change_object(node: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    key = chance.choice(list(node))
    what = chance.random()
    if what < 0.08:
        del node[key]
    elif what < 0.16:
        node[chance.choice(_NAMES)] = chance.choice(STRANGE)
    elif what < 0.2:
        node[chance.choice(_NAMES)] = node[key]
    else:
        node[key] = _change(node[key], chance)
    return node


def _change_list(node: list[Any], chance: random.Random) -> list[Any]:
    at = chance.randrange(len(node))
    what = chance.random()
    if what < 0.1:
        del node[at]
    elif what < 0.25:
        node.insert(at, node[at])
    elif what < 0.3:
        return node * chance.randint(2, 40)
    else:
        node[at] = _change(node[at], chance)
    return node
