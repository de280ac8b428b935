"""What the recording says of an entity's samples in a window, whatever the engine made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rules.recording import Recording


@dataclass(frozen=True, slots=True)
class Facts:
    """Samples that an evaluation sees: how many in a window, the first and the newest of all, in ms UTC."""

    in_window: int
    first: int | None
    newest: int | None
    heard: int | None  # the last commit
    lacking: tuple[str, ...]  # metrics that the newest sample does not have


def of(
    recording: Recording,
    robots: Sequence[str],
    metrics: Sequence[str],
    window: tuple[int, int],
    delay_ms: int,
) -> Facts:
    """Of the samples of these robots; the end of the window is the time of the evaluation."""
    begin, at = window
    there = [metric for metric in metrics if metric in recording.metrics]
    flags = ", ".join(f'"{metric}" IS NULL' for metric in there)
    newest = f"arg_max([{flags}], (event, committed_at, seq))" if there else "NULL"
    query = f"""
        SELECT count(*) FILTER (WHERE event > $begin), min(event), max(event), max(committed_at), {newest}
        FROM (SELECT *, least(t, committed_at) AS event FROM {{rows}} WHERE list_contains($robots, robot))
        WHERE committed_at <= $seen AND event <= $until
    """  # noqa: S608 -- names of metrics are of the catalogue
    values = {"begin": begin, "until": at, "seen": at + delay_ms, "robots": list(robots)}
    count, first, last, heard, missing = recording.ask(query, values)[0]
    absent = [metric for metric in metrics if metric not in there]
    absent += [metric for metric, flag in zip(there, missing or (), strict=False) if flag]
    return Facts(int(count), first, last, heard, tuple(absent))
