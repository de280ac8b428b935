"""A signal's life, in one place."""

from rules.rule import Rule
from tests.rules.oracle.look import Look, Thing, Truth, either, negated

LASTING = ("firing", "recovering")


def following(rule: Rule, look: Look, thing: Thing, state: str, since: int) -> tuple[str, int]:
    """What the signal is after this evaluation, and since when."""
    if not thing.inside:
        return _outside(state, since, look.at)
    if not look.judged(thing):
        return state, since
    holds = look.truth(rule.when, thing)
    if state in LASTING and rule.clear_when is not None:
        holds = either([holds, negated(look.truth(rule.clear_when, thing))])
    if holds is None and rule.missing_data == "keep_last_state":
        return state, since
    if holds is None and rule.missing_data == "unknown":
        return (state, since) if state in (*LASTING, "unknown") else ("unknown", look.at)
    if holds is None:
        holds = rule.missing_data == "fire"
    return _lived(rule, state, holds, since, look.at)


def _outside(state: str, since: int, at: int) -> tuple[str, int]:
    if state in LASTING:
        return "resolved", at
    return ("inactive", at) if state in ("pending", "unknown") else (state, since)


def _lived(rule: Rule, state: str, holds: Truth, since: int, at: int) -> tuple[str, int]:
    match state, holds:
        case "firing", False:
            return ("recovering" if rule.keep_firing_for_ms > 0 else "resolved"), at
        case "recovering", True:
            return "firing", at
        case "recovering", False if at - since >= rule.keep_firing_for_ms:
            return "resolved", at
        case "pending", True if at - since >= rule.for_ms:
            return "firing", since
        case "pending" | "unknown", False:
            return "inactive", at
        case (("inactive" | "resolved" | "unknown"), True):
            return ("pending" if rule.for_ms > 0 else "firing"), at
    return state, since
