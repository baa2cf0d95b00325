"""Who writes by HTTP, where nobody greets."""

import pytest

from .door import Door

ONE, TWO = ("10.0.0.1", 4001), ("10.0.0.1", 4002)


def test_two_addresses_are_two_writers() -> None:
    door = Door()
    assert door.sends(("10.0.0.1", 4001))[0] == 200
    for _ in range(10):
        door.now += 0.5
        status, body = door.sends(("10.0.0.2", 4001))
        assert status == 409 and body["error"]["code"] == "lease_busy"
        assert door.sends(("10.0.0.1", 4001))[0] == 200
    assert "10.0.0.1, 10.0.0.2" in str(door.entry.task.warnings)
    door.now += 2.1
    assert door.sends(("10.0.0.2", 4001))[0] == 200


@pytest.mark.parametrize("gap", [0.05, 0.9])
def test_two_connections_that_are_kept_open_are_two_programs(gap: float) -> None:
    door = Door()
    assert [door.sends(ONE)[0], door.sends(TWO)[0], door.sends(TWO)[0]] == [200, 200, 200]
    for _ in range(10):
        door.now += gap
        assert (door.sends(ONE)[0], door.sends(TWO)[0]) == (409, 200)
    door.now += 2.1
    assert door.sends(ONE)[0] == 200


@pytest.mark.parametrize("other", [ONE, TWO])
def test_a_program_that_was_silent_and_connects_again_may_have_been_started_anew(other: tuple[str, int]) -> None:
    """It drives no plan from before, unless it still has its connection."""
    door = Door()
    for _ in range(3):
        door.now += 0.1
        door.sends(ONE)
    door.plan()
    door.now += 0.1
    assert door.sends(ONE)[1]["state"] == "moving"
    epoch = door.entry.task.epoch
    door.now += 2.4
    status, body = door.sends(other)
    assert status == 200
    if other is TWO:
        assert (body["linear_vel"], body["plan_id"]) == (0.0, None)
        assert door.entry.task.epoch > epoch, "nor what was asked before"
    else:
        assert door.entry.task.epoch == epoch


def test_a_program_that_names_itself_may_use_many_connections() -> None:
    door = Door()
    for number in range(10):
        assert door.sends(("10.0.0.1", 4001 + number % 2), x_writer_id="arm")[0] == 200
    assert door.sends(ONE)[0] == 409 and door.entry.task.warnings == {}


def test_a_connection_for_each_frame_is_said_in_the_record() -> None:
    door = Door()
    for number in range(5):
        door.now += 0.1
        assert door.sends(("10.0.0.1", 4001 + number))[0] == 200
    assert "cannot be told apart" in str(door.entry.task.warnings)


def test_an_unlisted_proxy_s_address_is_nobody_s() -> None:
    """Its pool has several; the key is all that is known, and that is said."""
    door = Door()
    for number in range(10):
        address = f"10.0.0.{number % 2}"
        assert door.sends((address, 4001 + number % 3), x_forwarded_for="192.168.1.1")[0] == 200
    assert "its programs count as one writer" in str(door.entry.task.warnings)


@pytest.mark.parametrize("told", ["192.168.1.1:{}", "[fd00::7]:{}"])
def test_the_port_that_a_proxy_adds_makes_no_other_writer(told: str) -> None:
    door = Door(proxies=("10.9.0.0/16",))
    for port in range(5):
        assert door.sends(("10.9.0.1", 80), x_forwarded_for=told.format(4001 + port))[0] == 200
    assert len(door.entry.writers) == 1


def test_a_listed_proxy_is_believed_and_nobody_else() -> None:
    door = Door(proxies=("10.9.0.0/16", "fd00::/8"))
    proxy = ("10.9.0.1", 80)
    assert door.sends(proxy, x_forwarded_for="6.6.6.6, 10.1.1.1")[0] == 200
    assert door.sends(("::ffff:10.9.0.2", 81), x_forwarded_for="10.1.1.1")[0] == 200
    for claim in ("10.1.1.2", "10.1.1.1, 10.1.1.2", ""):
        assert door.sends(proxy, x_forwarded_for=claim)[0] == 409, claim
    assert door.sends(("10.8.0.1", 80), x_forwarded_for="10.1.1.1")[0] == 409


def test_a_frame_by_http_in_the_name_of_who_drives_by_websocket_is_refused() -> None:
    door = Door()
    lease, now = door.entry.lease, door.now
    lease.holds("arm", door.navigation.grant(door.entry, "arm", takeover=False, run="1"), now, run="1")
    assert door.sends(ONE, x_writer_id="arm")[0] == 409
