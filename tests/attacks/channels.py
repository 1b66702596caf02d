"""A message is changed by whoever wrote it, and read where it was written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.attacks.conftest import Person, Site
from tests.attacks.sockets import Socket


def post(site: Site, who: str, channel: str, text: str, **more: object) -> tuple[int, str]:
    answer = site.people[who].post(f"/api/v1/channels/{channel}/messages/post", json={"content": text, **more})
    return answer.status_code, answer.json().get("id", "") if answer.status_code == 200 else answer.text


def make(site: Site, access: object) -> str:
    answer = site.admin.post("/api/v1/channels/create", json={"name": "c", "access_control": access})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def channel(wide: Site) -> str:
    return make(wide, None)


def test_cve_2026_44571_changing_anothers_message(wide: Site, channel: str) -> None:
    _, message = post(wide, "ada", channel, "as I said it")
    path = f"/api/v1/channels/{channel}/messages/{message}"
    assert wide.eve.post(f"{path}/update", json={"content": "as eve says it"}).status_code == 403
    assert wide.eve.delete(f"{path}/delete").status_code == 403
    assert wide.ada.get(path).json()["content"] == "as I said it"
    assert wide.ada.post(f"{path}/update", json={"content": "better"}).status_code == 200
    assert wide.ada.delete(f"{path}/delete").status_code == 200


def test_cve_2026_70481_whoever_may_write_changes_anothers_message(wide: Site) -> None:
    """Who may post in a channel has the right to write it: that is no right to others' messages."""
    members = {"user_ids": [wide.ada.id, wide.eve.id], "group_ids": []}
    shared = make(wide, {"read": members, "write": members})
    _, message = post(wide, "ada", shared, "as I said it")
    assert post(wide, "eve", shared, "my own")[0] == 200
    path = f"/api/v1/channels/{shared}/messages/{message}"
    assert wide.eve.post(f"{path}/update", json={"content": "as eve says it"}).status_code == 403
    assert wide.eve.delete(f"{path}/delete").status_code == 403
    assert wide.ada.get(path).json()["content"] == "as I said it"
    assert wide.admin.delete(f"{path}/delete").status_code == 200


def test_cve_2026_59213_cve_2026_59215_reading_another_channels_message_as_a_thread(wide: Site, channel: str) -> None:
    closed = make(wide, {"read": {"user_ids": [wide.ada.id], "group_ids": []}})
    _, message = post(wide, "ada", closed, "between us")
    assert wide.eve.get(f"/api/v1/channels/{closed}/messages").status_code == 403
    thread = wide.eve.get(f"/api/v1/channels/{channel}/messages/{message}/thread")
    assert thread.status_code == 404 and "between us" not in thread.text
    assert post(wide, "eve", channel, "reply", parent_id=message)[0] == 404
    assert wide.ada.get(f"/api/v1/channels/{closed}/messages/{message}/thread").status_code == 200


def demote(site: Site, person: Person, channel: str) -> None:
    site.admin.post("/api/v1/users/update/role", json={"id": person.id, "role": "pending"})


def delete(site: Site, person: Person, channel: str) -> None:
    site.admin.delete(f"/api/v1/users/{person.id}")


def close(site: Site, person: Person, channel: str) -> None:
    site.admin.post(f"/api/v1/channels/{channel}/update", json={"name": "c", "access_control": {}})


def hear(site: Site, person: Person, channel: str, change: Callable[[Site, Person, str], None]) -> tuple[str, str]:
    """What this person's socket is told of the channel before and after `change`."""

    async def listen() -> tuple[str, str]:
        async with Socket(site, person.token) as socket:
            await socket.emit("join-channels", {"auth": {"token": person.token}})
            await socket.listen(0.5)
            await asyncio.to_thread(post, site, "admin", channel, "said to all who are here")
            before = str(await socket.listen())
            await asyncio.to_thread(change, site, person, channel)
            await asyncio.to_thread(post, site, "admin", channel, "said after they left")
            return before, str(await socket.listen())

    return asyncio.run(listen())


@pytest.mark.parametrize("change", [demote, delete, close])
def test_cve_2026_44553_a_socket_outlives_what_its_owner_may(
    wide: Site, change: Callable[[Site, Person, str], None]
) -> None:
    before, after = hear(wide, wide.add("leaver"), make(wide, None), change)
    assert "said to all who are here" in before and "said after they left" not in after


def test_a_channel_tells_nothing_to_somebody_who_waits_for_approval(wide: Site) -> None:
    waiting = wide.add("waiting")
    demote(wide, waiting, "")
    before, _ = hear(wide, waiting, make(wide, None), close)
    assert "said to all who are here" not in before
