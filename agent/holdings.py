"""All that an agent holds on disk: the live spool, spools of epochs that are over, and the room they take."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent import folder as folders
from agent.clock import Reading
from agent.folder import SpoolError
from agent.ledger import Account
from agent.quota import MB, Quota, Reason, Surplus, Usage, outlived, surplus
from agent.salvage import Salvaged, give_up, salvage
from agent.spool import SPARE_PAGES, Spool, SpoolDamagedError, SpoolSetBackError, open_spool

_ROUNDS: Final = 50  # of dropping, before a sample: a new and much lower quota needs some

log = logging.getLogger("agent.spool")


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Samples given up to keep the quota."""

    count: int
    reason: Reason
    first: int
    detail: str

    def __str__(self) -> str:
        return f"{self.count} samples given up, the oldest; {self.first} is the first now: {self.detail}"


class Holdings:
    """The spools of one locked folder. Where `former` is not None, it is delivered before `live`."""

    def __init__(self, folder: Path, quota: Quota) -> None:
        self._folder = folder
        self._quota = quota
        self._delivered: set[Path] = set()  # formers that a read-only disk may not let go
        self.live = self._open(folder, closed=False)
        self.former = self._next_former()

    @property
    def carried(self) -> Spool:
        """The spool whose samples are to be delivered now."""
        return self.former or self.live

    @property
    def spools(self) -> list[Spool]:
        """Those that are open: the former one, and the live one."""
        return [spool for spool in (self.former, self.live) if spool is not None]

    def close(self) -> None:
        """Closes all files."""
        for spool in self.spools:
            spool.close()

    def recover(self, damage: SpoolDamagedError) -> int:
        """Goes on from what can be read of the spool that is damaged. Returns how many samples are lost.

        Raises `SpoolFullError` where there is no room for that.
        """
        spool = self._damaged_one(damage)
        with contextlib.suppress(SpoolError):  # the checkpoint of a damaged file may well fail
            spool.close()
        closed = spool is self.former
        salvaged = self._salvage(damage, spool.folder, spool.account, closed=closed)
        reopened = open_spool(spool.folder, salvaged.newborn)
        if closed:
            self.former = reopened
        else:
            self.live = reopened
        return salvaged.lost

    def leave_former(self) -> None:
        """The former epoch is delivered, and its end declared."""
        if self.former is not None:
            self.former.close()
            log.info("epoch %s is delivered, as far as it could be read", self.former.epoch)
            folders.remove(self.former.folder)
            self._delivered.add(self.former.folder)
        self.former = self._next_former()

    def size(self) -> int:
        """Bytes on disk, of everything in the folder."""
        return sum(spool.size() for spool in self.spools) + folders.size(self._not_open())

    def make_room(self, now: Reading) -> Iterator[GivenUp]:
        """Gives up the oldest samples until the quota has room for the next. Raises `SpoolError`s."""
        self.live.release(spare=SPARE_PAGES if self.size() <= self._quota.max_bytes else 0)
        for _ in range(_ROUNDS):
            too_much = self._surplus()
            if too_much is None:
                break
            if not self._give_up_damaged():
                oldest = self._oldest(too_much.reason)
                yield self._drop(oldest, oldest.first + too_much.count, too_much.reason)
        oldest = self._oldest("age")
        while (old := outlived(self._quota, oldest.probes(), now)) is not None:
            yield self._drop(oldest, old + 1, "age")

    def _surplus(self) -> Surplus | None:
        held = sum(spool.held for spool in self.spools)
        usage = Usage(self.size(), self.live.reusable(), held, folders.disk(self._folder))
        return surplus(self._quota, usage)

    def _oldest(self, reason: Reason) -> Spool:
        """Whose samples go. On a full disk new ones must find room in the live spool's own file."""
        former = self.former if self.former is not None and self.former.held else None
        return self.live if reason == "disk" or former is None else former

    def _drop(self, oldest: Spool, below: int, reason: Reason) -> GivenUp:
        count = oldest.drop(below, reason)
        if oldest is self.former:
            oldest.release(spare=0)  # into which nothing more will be written
        return GivenUp(count, reason, oldest.first, self._why(reason))

    def _why(self, reason: Reason) -> str:
        match reason:
            case "bytes":
                return f"the spool would pass {self._quota.max_bytes / MB:,.0f} MB"
            case "age":
                return f"older than {(self._quota.max_age_ms or 0) / 86_400_000:g} days"
            case _:
                return f"the disk of {self._folder} is nearly full"

    def _give_up_damaged(self) -> bool:
        """What was set aside goes before any sample does."""
        found = folders.damaged(self._folder)
        if not found:
            return False
        log.warning("%s is deleted: its room is needed for samples", found[0])
        folders.remove(found[0])
        return not found[0].exists()

    def _bound_damaged(self) -> None:
        for path in folders.damaged(self._folder)[: -folders.MAX_DAMAGED]:
            log.warning("%s is deleted: there are %d newer ones", path, folders.MAX_DAMAGED)
            folders.remove(path)

    def _open(self, folder: Path, *, closed: bool) -> Spool:
        try:
            return open_spool(folder)
        except SpoolDamagedError as damage:
            salvaged = self._salvage(damage, folder, None, closed=closed)
            return open_spool(folder, salvaged.newborn)

    def _salvage(
        self, damage: SpoolDamagedError, folder: Path, known: Account | None, *, closed: bool
    ) -> Salvaged:
        log.error("SPOOL DAMAGED: %s; reading what can be read", damage)
        if isinstance(damage, SpoolSetBackError) and known is not None:
            salvaged = give_up(folder, known)
        else:
            salvaged = salvage(folder, known, closed=closed)
        log.error(
            "%d samples kept, %d lost; %s; the damaged files lie in %s",
            salvaged.kept,
            salvaged.lost,
            "the epoch goes on" if salvaged.same_epoch else "a new epoch begins",
            salvaged.aside or "no folder: nothing was left",
        )
        self._bound_damaged()
        return salvaged

    def _next_former(self) -> Spool | None:
        for folder in folders.formers(self._folder):
            if folder in self._delivered:
                continue
            if folders.size(folders.sample_files(folder)) > 0:
                return self._open(folder, closed=True)
            folders.remove(folder)
        return None

    def _damaged_one(self, damage: SpoolDamagedError) -> Spool:
        wanted = damage.folder or self.carried.folder
        return next(spool for spool in self.spools if spool.folder == wanted)

    def _not_open(self) -> list[Path]:
        open_ones = [spool.folder for spool in self.spools]
        return [
            path
            for path in (*folders.damaged(self._folder), *folders.formers(self._folder))
            if path not in open_ones
        ]
