"""What happened is kept for a week, whoever reads it; in portions, so that others may write between."""

from sqlalchemy import func, select

from collector.relational.schema import happenings
from tests.notifying.world import DAY, World


def count(world: World) -> int:
    """How many happenings there are."""
    with world.database.reading() as connection:
        return int(connection.scalars(select(func.count()).select_from(happenings)).one())


def happen(world: World, many: int) -> None:
    """That many happenings at once."""
    id_ = world.opens()
    for _ in range(many - 1):
        world.happens(id_, "escalated")


def test_what_happened_is_forgotten_after_a_week_in_portions(world: World) -> None:
    """Each its own transaction; also where nobody reads them."""
    happen(world, 7)
    outbox, before = world.relational.notifications, world.now + 1
    assert [outbox.forget_happenings(before, most=3) for _ in range(4)] == [True, True, False, False]
    assert count(world) == 0


def test_what_is_younger_stays_though_it_was_not_read(world: World) -> None:
    """Also one that stands among older ones, since its clock was ahead."""
    happen(world, 2)
    world.now += DAY
    [_, younger] = [world.opens("r2"), world.opens("r2", "Burning")]
    world.now -= 2 * DAY
    world.happens(younger, "escalated")
    assert not world.relational.notifications.forget_happenings(world.now + 1 + DAY)
    assert [each.kind for each in world.relational.notifications.unread()] == ["opened", "opened"]


def test_what_happens_after_everything_was_forgotten_is_told(world: World) -> None:
    """The numbers of what happened go on; nothing is taken for read."""
    notifier = world.notifier()
    world.opens("r1")
    world.work(notifier)
    world.now += 7 * DAY
    assert not world.relational.notifications.forget_happenings(world.now)
    assert count(world) == 0
    later = world.opens("r2")
    world.work(notifier)
    assert world.post.keys[-1] == f"alert-{later}/opened-2/ops"
