"""Live updates: what open pages hear, over a real server, until it stops."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from threading import Thread

import httpx
import pytest
from fastapi import Request

from collector import credentials
from collector.changes import MANY, Change, Changes
from collector.conditions import Health
from collector.http.app import create
from collector.http.events import stream
from collector.http.gate import still_signed_in
from collector.http.server import AddressError, listen, serve
from collector.http.signed import COOKIE
from tests.http.conftest import Clock, World
from tests.signing import csm, session_of, token_of


@contextlib.asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """The app on a free port, as the collector serves it; stopped by cancellation."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    serving = asyncio.create_task(serve(create(world.services), world.services.changes, listening))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, object]]]:
    """Name and data of every event."""
    name = ""
    async for line in response.aiter_lines():
        field, _, text = line.partition(": ")
        if field == "event":
            name = text
        elif field == "data":
            yield name, json.loads(text)


def test_a_page_hears_of_changes_until_the_server_stops(world: World) -> None:
    """Events name what changed; an open stream does not hold the server up when it stops."""
    heard: list[tuple[str, object]] = []
    headers = {"Authorization": f"Bearer {token_of(world.services)}"}

    async def page(url: str, opened: asyncio.Event) -> None:
        async with (
            httpx.AsyncClient(timeout=60, headers=headers) as client,
            client.stream("GET", f"{url}/events") as response,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            opened.set()
            async for name, data in events(response):
                heard.append((name, data["ids"]))

    async def story() -> None:
        opened = asyncio.Event()
        async with asyncio.timeout(60):
            async with served(world) as url:
                reading = asyncio.create_task(page(url, opened))
                await opened.wait()
                world.services.changes.publish("robots", ["r1"])
                [id_] = world.fires("Silent", "r1")
                await asyncio.to_thread(_acknowledge, url, id_, headers)
                while len(heard) < 2:
                    await asyncio.sleep(0.01)
            await reading

    asyncio.run(story())
    assert sorted(heard) == [("alerts", ["1"]), ("robots", ["r1"])]


def _acknowledge(url: str, id_: int, headers: dict[str, str]) -> None:
    httpx.post(f"{url}/api/v1/alerts/{id_}/acknowledge", json={}, headers=headers).raise_for_status()


async def listening(changes: Changes, keep_alive_s: float = 60.0) -> AsyncIterator[Change | None]:
    """A listener that is known to listen already when this returns."""
    stream = changes.listen(keep_alive_s)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)

    async def heard() -> AsyncIterator[Change | None]:
        with contextlib.suppress(StopAsyncIteration):
            yield await first
        async for change in stream:
            yield change

    return heard()


def test_changes_between_two_looks_are_one() -> None:
    """A listener that is slow hears each id once, not every change."""

    async def story() -> list[Change | None]:
        changes = Changes()
        stream = await listening(changes)
        for number in range(1_000):
            changes.publish("alerts", [number % 3])
        heard = [await anext(stream)]
        changes.close()
        return heard + [change async for change in stream]

    assert asyncio.run(story()) == [Change("alerts", ("0", "1", "2"), 1_000)]


def test_too_many_to_name() -> None:
    """Where very many changed, no ids are named: anything may have."""

    async def story() -> Change | None:
        changes = Changes()
        stream = await listening(changes)
        changes.publish("robots", range(MANY + 1))
        changes.publish("robots", [1])
        return await anext(stream)

    assert asyncio.run(story()) == Change("robots", (), 2)


def test_pages_hear_that_a_part_fails_and_recovers() -> None:
    """Each time another part is ill, or falls behind, and not while only its words change."""
    said = iter(
        [
            Health(True, {"store": "up to date"}),
            Health(True, {"store": "up to date"}),
            Health(False, {"store": "away for 1 s"}, frozenset({"store"})),
            Health(False, {"store": "away for 2 s"}, frozenset({"store"})),
            Health(False, {"ingest": "behind: 9 messages wait"}, frozenset({"ingest"})),
            Health(True, {"ingest": "up to date"}),
        ]
    )

    async def story() -> list[str]:
        told = stream(Changes(), lambda: next(said), look_s=0.001)
        return [(await anext(told)).split(b"\n")[0].decode() for _ in range(9)]

    quiet, health = ": still here", "event: health"
    assert asyncio.run(story()) == ["retry: 2000", quiet, health, quiet, quiet, health, quiet, health, quiet]


def test_who_is_signed_out_hears_no_more() -> None:
    """A stream ends once its reader may no longer have it, whether anything happens or not."""
    welcome = iter([True, True, False])

    async def asked() -> bool:
        return next(welcome)

    async def story() -> list[bytes]:
        return [part async for part in stream(Changes(), lambda: Health(True), 0.001, asked)]

    assert len(asyncio.run(story())) == 3


def test_a_long_answer_asks_again_whether_its_reader_may_stay(world: World, clock: Clock) -> None:
    """Every 20 s: while the session holds, and no longer."""
    secret = session_of(world.services)
    headers = [(b"cookie", f"{COOKIE}={secret}".encode())]
    scope = {"type": "http", "app": create(world.services), "headers": headers}
    welcome = still_signed_in(Request(scope))
    assert asyncio.run(welcome())
    world.services.relational.accounts.end_session(credentials.digest(secret), clock.now)
    clock.now += 19_999
    assert asyncio.run(welcome())
    clock.now += 1
    assert not asyncio.run(welcome())


def test_a_quiet_time_is_told() -> None:
    """Without changes a listener still hears something, so that nobody takes the line for dead."""

    async def story() -> Change | None:
        return await anext(await listening(Changes(), keep_alive_s=0.001))

    assert asyncio.run(story()) is None


def test_nothing_changed_is_no_change() -> None:
    """Publishing no ids wakes nobody."""

    async def story() -> Change | None:
        changes = Changes()
        stream = await listening(changes)
        changes.publish("alerts", [])
        changes.publish("alerts", [7])
        return await anext(stream)

    assert asyncio.run(story()) == Change("alerts", ("7",), 1)


def test_changes_come_from_any_thread() -> None:
    """What another thread publishes wakes the listener; what was published is not lost."""

    async def story() -> set[str]:
        changes = Changes()
        stream = await listening(changes)
        threads = [Thread(target=changes.publish, args=("alerts", [n])) for n in range(20)]
        for thread in threads:
            thread.start()
        heard: set[str] = set()
        while len(heard) < 20:
            change = await anext(stream)
            heard.update(change.ids if change else ())
        for thread in threads:
            thread.join()
        return heard

    assert asyncio.run(story()) == {str(number) for number in range(20)}


def test_after_the_end_nobody_listens() -> None:
    """Closed changes end a listener that comes later, too; publishing then harms nothing."""

    async def story() -> list[Change | None]:
        changes = Changes()
        changes.close()
        changes.publish("alerts", [1])
        return [change async for change in changes.listen()]

    assert asyncio.run(story()) == []


def test_a_listener_whose_loop_is_gone() -> None:
    """A page whose loop died without a word does not break publishing."""
    changes = Changes()

    async def forgotten() -> AsyncIterator[Change | None]:
        return await listening(changes)

    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(forgotten())
    loop.close()
    changes.publish("alerts", [1])
    del stream


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("no.such.host.invalid", 0), ("203.0.113.1", 0)]
)
def test_an_address_that_cannot_be_listened_on(host: str, port: int) -> None:
    """One line says which and why."""
    with pytest.raises(AddressError, match=f"cannot listen on {host}:{port}") as refused:
        listen(host, port)
    assert "\n" not in str(refused.value)


def test_an_address_that_is_taken() -> None:
    """A port somebody else listens on is refused."""
    with listen("127.0.0.1", 0) as first, pytest.raises(AddressError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])


def test_who_sees_its_own_hears_no_names(world: World) -> None:
    """That something changed, and not which alerts and robots: they may be others'."""
    heard: list[object] = []
    headers = {"Authorization": f"Bearer {token_of(world.services, csm('ana', own=True))}"}

    async def story() -> None:
        async with (
            asyncio.timeout(60),
            served(world) as url,
            httpx.AsyncClient(timeout=60, headers=headers) as client,
            client.stream("GET", f"{url}/events") as response,
        ):
            world.services.changes.publish("robots", ["r1"])
            async for _, data in events(response):
                heard.append(data["ids"])
                return

    asyncio.run(story())
    assert heard == [[]]
