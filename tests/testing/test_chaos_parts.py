"""The parts of chaos: a monkey that mends what it broke, worlds read from folders, answers told apart."""

import random
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from stackd.drivers.hypervisors.fake import FakeHypervisor
from stackd.drivers.networks.fake import FakeNetwork
from stackd.model.instances import GuestState
from stackd.testing.chaos.asking import Outcome, ask
from stackd.testing.chaos.journal import Journal
from stackd.testing.chaos.monkey import Mischief, Monkey, Temper
from stackd.testing.chaos.openstack import short
from stackd.testing.chaos.worlds import fake_worlds
from stackd.testing.contracts.hypervisor import spec_of
from stackd.testing.contracts.network import small_cloud
from stackd.testing.processes import wait_for
from tests.drivers.hypervisors.test_fake import FakeBench


class Things:
    """What may be broken: never twice at once."""

    def __init__(self) -> None:
        self.broken: Counter[str] = Counter()
        self.most = 0
        self.times = 0

    def mischiefs(self, randomness: random.Random) -> list[Mischief]:
        """One for each of four, two of which touch the same."""
        return [Mischief(name, 1.0, frozenset({touched}), lambda touched=touched: self.hit(touched),
                         lambda touched=touched: self.heal(touched), lasting=0.05)
                for name, touched in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "z"))]

    def hit(self, touched: str) -> str:
        """Break one."""
        self.broken[touched] += 1
        self.times += 1
        self.most = max(self.most, *self.broken.values())
        return touched

    def heal(self, touched: str) -> None:
        """Mend one."""
        self.broken[touched] -= 1


def test_a_monkey_breaks_a_thing_once_at_a_time_and_leaves_all_of_them_whole(tmp_path: Path) -> None:
    things, journal = Things(), Journal(tmp_path / "journal")
    monkey = Monkey(things.mischiefs, journal, 7, Temper(pause=0.002, most=3))
    monkey.start()
    assert wait_for(lambda: things.times > 20, 20.0)
    monkey.join()
    assert things.most == 1 and not +things.broken
    assert sum(journal.of("mischief").values()) == sum(journal.of("mended").values()) == things.times


def test_what_a_monkey_cannot_mend_is_told(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("it is glued")

    journal = Journal(tmp_path / "journal")
    monkey = Monkey(lambda randomness: [Mischief("glue", 1.0, frozenset({"x"}), lambda: "", fail)], journal, 7,
                    Temper(pause=0.001))
    monkey.start()
    assert wait_for(lambda: journal.of("mischief"), 20.0)
    monkey.join()
    assert journal.of("monkey-failed") == {("glue", "mend"): 1}
    assert "it is glued" in (tmp_path / "journal").read_text()


@pytest_twisted.ensureDeferred
async def test_the_worlds_of_fake_hosts_are_read_from_wherever_they_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "hosts" / "one" / "host" / "fake" / "host-1"
    bench, change = FakeBench(), small_cloud()
    driver = FakeHypervisor(Clock(), bench.images, folder=folder)
    spec = spec_of(bench)
    await driver.prepare(spec)
    await driver.start(spec)
    await FakeNetwork(folder=folder).apply(change)
    await FakeNetwork(folder=tmp_path / "fake" / "host-2").apply(change)
    first, second = fake_worlds(tmp_path)
    assert (first.host, first.guests) == ("host-1", {spec.id: GuestState.RUNNING})
    assert (second.host, dict(second.guests), *second.networks) == ("host-2", {}, change.networks[0].id)
    assert list(first.ports.values()) == list(change.ports)


@pytest.mark.parametrize(("status", "outcome"), [
    (200, Outcome.ACCEPTED), (202, Outcome.ACCEPTED), (404, Outcome.REFUSED), (409, Outcome.REFUSED),
    (501, Outcome.REFUSED), (500, Outcome.UNKNOWN), (503, Outcome.UNKNOWN), (0, Outcome.UNKNOWN)])
def test_an_answer_that_was_lost_or_says_that_something_is_away_tells_nothing(status: int, outcome: Outcome) -> None:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if status:
                self.send_response(status)
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = HTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    assert ask("GET", f"http://127.0.0.1:{server.server_port}/x?y=z").outcome is outcome
    thread.join()
    server.server_close()
    assert ask("GET", f"http://127.0.0.1:{server.server_port}/").outcome is Outcome.UNKNOWN


def test_an_instance_has_the_same_first_digits_in_both_apis() -> None:
    assert short("97c92ab8-96ed-4d1b-a691-59d84622bb21") == short("i-97c92ab896ed4d1ba") == "97c92ab896ed4d1ba"
    assert short("aadccdfe-1d75-4355-bc29-8f7f6f30df35") == short("sg-aadccdfe1d754355b") == "aadccdfe1d754355b"
