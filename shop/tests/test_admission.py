"""Rooms: a total, a share for each holder, and a line for each waiting holder."""

import asyncio

import pytest

from shop.core.admission import Room, ShareUsedUp, Tab, network_of
from shop.core.errors import Unavailable


def test_nobody_gets_more_than_a_share_and_all_together_no_more_than_there_is() -> None:
    room = Room("test", total=3, share=2)
    room.take("a", 2)
    with pytest.raises(ShareUsedUp):
        room.take("a")
    room.take("b")
    with pytest.raises(Unavailable):
        room.take("b")
    room.give_back("a", 2)
    room.take("b")
    assert (room.used, room.held_by("a"), room.held_by("b")) == (2, 0, 2)


def test_a_tab_gives_everything_back_whatever_happens() -> None:
    room = Room("test", total=100, share=60)
    with Tab(room, "a") as tab:
        tab.add(40)
        with pytest.raises(ShareUsedUp):
            tab.add(40)
        assert room.held_by("a") == 40
    assert room.used == 0
    assert room.held_by("a") == 0


async def _enter(room: Room, holder: str, entered: list[str], leave: asyncio.Event) -> None:
    async with room.entered(holder):
        entered.append(holder)
        await leave.wait()


async def test_who_has_least_is_let_in_before_who_came_first() -> None:
    room = Room("test", total=2, share=2, waiting=10, waiting_share=5, seconds=10)
    entered: list[str] = []
    leave = [asyncio.Event() for _ in range(6)]
    tasks = []
    for holder, event in zip(["a", "a", "a", "a", "b", "c"], leave, strict=True):
        tasks.append(asyncio.create_task(_enter(room, holder, entered, event)))
        await asyncio.sleep(0)
    assert entered == ["a", "a"]
    leave[0].set()
    await asyncio.sleep(0.01)
    leave[1].set()
    await asyncio.sleep(0.01)
    # Now "a" has nothing in the room, and has waited longer than "c".
    assert entered == ["a", "a", "b", "a"]
    for event in leave:
        event.set()
    await asyncio.gather(*tasks)
    assert entered == ["a", "a", "b", "a", "c", "a"]
    assert room.used == 0


async def test_who_waits_for_a_share_keeps_nobody_else_out() -> None:
    room = Room("test", total=3, share=1, waiting=10, waiting_share=5, seconds=10)
    leave = asyncio.Event()
    entered: list[str] = []
    tasks = [asyncio.create_task(_enter(room, holder, entered, leave)) for holder in "aaab"]
    await asyncio.sleep(0.01)
    assert sorted(entered) == ["a", "b"]
    leave.set()
    await asyncio.gather(*tasks)
    assert len(entered) == 4


async def test_waiting_has_an_end_and_so_has_the_line() -> None:
    room = Room("test", total=1, share=1, waiting=3, waiting_share=2, seconds=0.05)
    leave = asyncio.Event()
    first = asyncio.create_task(_enter(room, "a", [], leave))
    await asyncio.sleep(0)
    late = [asyncio.create_task(_enter(room, holder, [], leave)) for holder in "aab"]
    await asyncio.sleep(0)
    with pytest.raises(ShareUsedUp):
        await _enter(room, "a", [], leave)
    with pytest.raises(Unavailable):
        await _enter(room, "c", [], leave)
    results = await asyncio.gather(*late, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    leave.set()
    await first
    assert room.used == 0


async def test_who_goes_away_while_waiting_leaves_no_place_taken() -> None:
    room = Room("test", total=1, share=1, waiting=3, waiting_share=2, seconds=10)
    leave = asyncio.Event()
    first = asyncio.create_task(_enter(room, "a", [], leave))
    await asyncio.sleep(0)
    gone = asyncio.create_task(_enter(room, "b", [], leave))
    await asyncio.sleep(0)
    # One leaves while it waits, another one just as it is let in.
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    just = asyncio.create_task(_enter(room, "b", [], leave))
    await asyncio.sleep(0)
    leave.set()
    await asyncio.sleep(0)
    just.cancel()
    await asyncio.gather(first, just, return_exceptions=True)
    assert room.used == 0
    room.take("c")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_network_is_what_one_subscriber_has(address: str, network: str) -> None:
    assert network_of(address) == network
