"""How a robot's samples came, as the API shows it: in figures, and in the words of the console."""

from functools import partial

from pydantic import BaseModel

from collector.http.api.alerts import Text
from collector.http.fields import Instant
from collector.http.problems import missing
from collector.http.reading import readable
from collector.http.services import Services
from collector.http.views.delivery import Account, account, lines, stored
from collector.http.views.rows import place
from collector.identity import Clash
from collector.relational import RobotRecord
from collector.stores import Delivery, Loss, LossReason
from collector.words.i18n import Words
from collector.words.wording import LANGUAGES


class AgentItem(BaseModel):
    """One of the agents that report under the same name."""

    epoch: str
    boot: str


class ClashItem(BaseModel):
    """Two robots take turns under one name; `count`: how often one of them came back."""

    since: Instant
    last_at: Instant
    count: int
    agents: list[AgentItem]


class LossItem(BaseModel):
    """Of the samples `first` to `last` of an epoch, `count` will never come."""

    at: Instant
    epoch: str
    first: int
    last: int
    count: int
    reason: LossReason


class DeliverySummary(BaseModel):
    """What came since `since`, and what is still on the robot; `text` says the same in sentences.

    Lost samples were given up by the robot, refused ones broke the contract: of the newest 50 losses.
    """

    since: Instant
    stored: int
    late: int
    longest_delay_s: float
    corrected: int
    lost: int
    refused: int
    held: int | None
    held_at: Instant | None
    clash: ClashItem | None
    text: list[Text]


class RobotDelivery(DeliverySummary):
    """The summary, with the newest losses, the newest first."""

    robot: str
    losses: list[LossItem]


def summary(services: Services, record: RobotRecord) -> DeliverySummary | None:
    """How the robot's samples came; None while the store cannot be read."""
    now = services.clock()
    found = readable(partial(stored, services, record.id, now))
    return None if found is None else _summary(account(services, record.id, found, now), found, record)


def read(services: Services, id_: str) -> RobotDelivery:
    """How the robot's samples came. Raises `Problem` (404) and `StoreError`."""
    record = services.relational.robot(id_)
    if record is None:
        raise missing("robot", id_)
    now = services.clock()
    found = stored(services, id_, now)
    summed = _summary(account(services, id_, found, now), found, record)
    return RobotDelivery(**dict(summed), robot=id_, losses=[_loss(loss) for loss in found.losses])


def _summary(told: Account, found: Delivery, record: RobotRecord) -> DeliverySummary:
    state, where = told.state, place(record.id, record, told.state.tz)
    en, zh = (lines(told, Words(language), where.zone) for language in LANGUAGES)
    return DeliverySummary(
        since=told.since,
        stored=found.stored,
        late=found.late,
        longest_delay_s=found.longest_delay_ms / 1_000,
        corrected=found.corrected,
        lost=told.lost("dropped"),
        refused=told.lost("refused"),
        held=state.held,
        held_at=state.held_at,
        clash=_clash(state.clash),
        text=[Text(en=one.text, zh=other.text) for one, other in zip(en, zh, strict=True)],
    )


def _clash(clash: Clash | None) -> ClashItem | None:
    if clash is None:
        return None
    agents = [AgentItem(epoch=agent.epoch, boot=agent.boot) for agent in clash.agents]
    return ClashItem(since=clash.since, last_at=clash.last_at, count=clash.count, agents=agents)


def _loss(loss: Loss) -> LossItem:
    return LossItem(
        at=loss.at,
        epoch=loss.epoch,
        first=loss.first,
        last=loss.last,
        count=loss.count,
        reason=loss.reason,
    )
