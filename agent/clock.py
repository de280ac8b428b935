"""A robot's clocks: when something happened, also where the wall clock is wrong.

Ages come from the boot clock, which neither jumps nor stops in suspend. A wall clock before 2024 is that
of a robot without a clock battery, whatever the kernel says of its synchronization.
"""

from dataclasses import dataclass

from agent.wire import Sent

PLAUSIBLE_SINCE_MS = 1_704_067_200_000  # 2024-01-01


@dataclass(frozen=True, slots=True)
class Reading:
    """All clocks at one instant, in ms; `boot` is the kernel's boot id, `synced` what it says of `wall`."""

    wall: int
    up: int
    boot: str
    synced: bool

    @property
    def trusted(self) -> bool:
        """Whether the wall clock was synchronized, and shows a time that can be."""
        return self.synced and self.wall >= PLAUSIBLE_SINCE_MS

    def sent(self) -> Sent:
        """The clocks as a message carries them."""
        return Sent(t=max(0, self.wall), up=max(0, self.up), boot=self.boot)
