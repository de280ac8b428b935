"""How earlier boots ended, told with their samples: so that a boot that never knew the time keeps its place.

A robot without a clock battery that is switched off every evening, and offline for days, holds samples of
several boots, each beginning in 1970. Only their order and lengths say when they were taken.
"""

from collections.abc import Callable, Iterator

from agent.wire import End, Sample


class Boots:
    """The boots of the samples held. These lie in the order of their boots, so ends are found by bisection.

    `sample_from` gives the first sample held from a number on, with its own number; None: there is none.
    """

    def __init__(self, sample_from: Callable[[int], tuple[int, Sample] | None]) -> None:
        self._sample_from = sample_from
        self._over: dict[str, tuple[End, int]] = {}  # with the number of its last sample

    def ends(self, seq: int, count: int, following: int, running: str) -> list[End]:
        """What a message of `count` samples from number `seq` on says of boots before the `running` one.

        Oldest first; `following` is the number of the next sample to be taken. After the message's own boots
        come the lengths of those that never knew the time, added up, and then the first that did.
        """
        ends: list[End] = []
        unknown = 0
        for end, begins, last in self._boots(seq, following, running):
            if begins < seq + count:
                ends.append(end)
            elif end.began is not None:
                ends += [*_merged(unknown), end]
                return ends
            else:
                unknown += end.up
            if end.began is not None and last >= seq + count - 1:
                return ends
        return [*ends, *_merged(unknown)]

    def forget(self, first: int) -> None:
        """No sample below `first` is held any more."""
        self._over = {boot: known for boot, known in self._over.items() if known[1] >= first}

    def _boots(self, seq: int, following: int, running: str) -> Iterator[tuple[End, int, int]]:
        """Each boot from that of sample `seq` on until the running one: its end, first and last sample."""
        while (found := self._sample_from(seq)) is not None and found[1].boot != running:
            boot = found[1].boot
            end, last = self._over.get(boot, (None, 0))
            if end is None or last < seq:
                last, newest = self._last_of(*found, following)
                end = End(boot=boot, up=newest.up, began=self._began(seq, last))
                self._over[boot] = (end, last)
            yield end, found[0], last
            seq = last + 1

    def _last_of(self, seq: int, sample: Sample, following: int) -> tuple[int, Sample]:
        """The last sample of the boot that this one, of number `seq`, is of."""
        while following - seq > 1:
            middle = (seq + following) // 2
            found = self._sample_from(middle)
            if found is not None and found[1].boot == sample.boot:
                seq, sample = found
            else:
                following = middle
        return seq, sample

    def _began(self, first: int, last: int) -> int | None:
        """When a boot began by its clock, where that was synchronized; asks few of many samples."""
        back = 0
        while last - back >= first:
            found = self._sample_from(last - back)
            if found is not None and found[1].synced:
                return max(0, found[1].t - found[1].up)
            back = 2 * back or 1
        return None


def _merged(up: int) -> list[End]:
    return [End(boot="", up=up)] if up else []
