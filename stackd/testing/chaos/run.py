"""One run of chaos: clients and a monkey for some minutes, quiet, checks, everything terminated, checks again.

``__main__``, ``tests/live/test_chaos.py`` and ``tests/live/test_broker_wiped.py`` call it.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
from attrs import field, frozen

from stackd import errors
from stackd.cli.asking import ask as ask_operator
from stackd.cli.asking import rendered
from stackd.store.engines import make_engine
from stackd.testing.chaos import checks, promises, realworlds, rows, worlds
from stackd.testing.chaos.asking import Outcome
from stackd.testing.chaos.checks import Violation
from stackd.testing.chaos.clients import Client, Pace
from stackd.testing.chaos.ec2 import Ec2, Key
from stackd.testing.chaos.journal import Journal
from stackd.testing.chaos.mischiefs import Mischiefs
from stackd.testing.chaos.monkey import Monkey, Temper
from stackd.testing.chaos.openstack import Login, OpenStack, short
from stackd.testing.chaos.telling import Result
from stackd.testing.demo.first_vm import IMAGE as DEMO
from stackd.testing.lab.options import FAKE
from stackd.testing.lab.site import Site

SETTLES_WITHIN = 120.0
CRITICAL = '"level":"critical"'
HOST_GONE = 60.0
EXPLAINED = 20
IMAGE = bytes(64 * 1024)
LIMITS = {"instances": -1, "cores": -1, "ram": -1, "ports": -1, "floating_ips": 100}


@frozen(kw_only=True)
class Options:
    """How a run is done."""

    minutes: float = 1.0
    seed: int = 0
    clients: int = 6
    pace: Pace = Pace()
    temper: Temper = Temper()
    settles_within: float = SETTLES_WITHIN
    say: Callable[[str], None] = field(default=print)


class Run:
    """One run on a site that is ready."""

    def __init__(self, site: Site, options: Options, journal: Path) -> None:
        """``journal`` is a file to be written."""
        self._site = site
        self._options = options
        self.journal = Journal(journal)
        self._stop = threading.Event()
        credentials = site.credentials
        self.openstack = OpenStack(Login(url=site.api_url, images=site.image_url, user=credentials.user,
                                         password=credentials.password, project=credentials.project))
        self._key = Key(url=site.ec2_url, access=credentials.access_key, secret=credentials.secret_key,
                        region=credentials.region)
        self._database = make_engine(site.database_url, 2, reading=True)
        self.ec2: Ec2

    # --- the parts of a run ---

    def prepare(self) -> None:
        """An image to launch, the demonstration's where it is there; and room for all that clients may ask for."""
        if not self.openstack.find_image(DEMO):
            made = self.openstack.upload("chaos", IMAGE)
            if not made.accepted:
                raise errors.StackdError(f"The image cannot be uploaded: {made.words}")
        self.ec2 = Ec2(self._key, f"ami-{short(self.openstack.image)}")
        ask_operator(self._site.folder, "quota-set", {"project": self._site.credentials.project, "limits": LIMITS})

    def clients(self) -> list[Client]:
        """As many as asked for."""
        options = self._options
        return [Client(number, self.openstack, self.ec2, self.journal, options.seed, self._stop, options.pace)
                for number in range(options.clients)]

    def whole(self) -> Result:
        """All of it."""
        options, say = self._options, self._options.say
        self.prepare()
        clients = self.clients()
        monkey = Monkey(Mischiefs(self._site, self.journal), self.journal, options.seed, options.temper)
        say(f"{options.clients} clients and a monkey for {options.minutes:g} minutes, seed {options.seed}")
        for client in clients:
            client.start()
        monkey.start()
        self._stop.wait(options.minutes * 60)
        return self.ended(clients, monkey)

    def ended(self, clients: Sequence[Client], monkey: Monkey) -> Result:
        """Mend everything, wait for quiet, check, terminate everything, check again."""
        options, say = self._options, self._options.say
        monkey.join()
        self.respawn()
        say("all is mended; the clients find out what became of their last requests")
        self._stop.set()
        for client in clients:
            client.join()
        fleets = [client.fleet for client in clients]
        settled, found = self.settle(lambda now, held: [
            *checks.consistent(now, held), *promises.kept(now, fleets)])
        say(f"settled: {settled}")
        now = self.look()[0]
        explained = self.explain(found)
        emptied, left = self.terminate_all()
        explained |= self.explain(left)
        return Result(
            seed=options.seed, minutes=options.minutes, settled=settled, emptied=emptied,
            instances=len(now.instances), faults=_faults(now), explanations=explained,
            violations=[*found, *left, *self._noted(), *self._defects()])

    def respawn(self) -> None:
        """Start whatever does not run."""
        for name in self._site.names:
            if not self._site.alive(name):
                self.journal.note("ended-by-itself", name)
        self._site.start()

    # --- looking ---

    def look(self) -> tuple[rows.Rows, Sequence[worlds.World]]:
        """Rows and hosts as they are now."""
        fake = self._site.options.drivers == FAKE
        return rows.read(self._database, HOST_GONE), (
            worlds.fake_worlds(self._site.folder) if fake else realworlds.real_worlds(self._site))

    def settle(self, check: Callable[[rows.Rows, Sequence[worlds.World]], Iterable[Violation]],
               ) -> tuple[float | None, list[Violation]]:
        """Wait until ``check`` finds nothing: after how many seconds, and what it still finds."""
        begun = time.monotonic()
        while True:
            found = sorted({*check(*self.look())}) or self._dead_letters()
            waited = time.monotonic() - begun
            if not found:
                return round(waited, 1), []
            if waited > self._options.settles_within:
                return None, found
            self.journal.note("settling", left=len(found), first=str(found[0]))
            time.sleep(1.0)

    def terminate_all(self) -> tuple[float | None, list[Violation]]:
        """Terminate every instance and give every address back, through both APIs, and wait until nothing is left."""
        alive = [one for one in self.look()[0].alive]
        with ThreadPoolExecutor(4) as pool:
            ends = list(pool.map(self._terminate, enumerate(alive)))
            ends += pool.map(lambda id: self.openstack.release(id).accepted, self.openstack.addresses() or [])
        refused = [Violation("end-refused", "", f"{ends.count(False)} of {len(ends)}")] if not all(ends) else []
        emptied, left = self.settle(lambda now, held: [*checks.consistent(now, held), *checks.empty(now, held)])
        return emptied, [*refused, *left]

    def _terminate(self, numbered: tuple[int, str]) -> bool:
        number, id = numbered
        api = self.openstack if number % 2 else self.ec2
        answer = api.act("terminate", id if number % 2 else f"i-{short(id)}")
        if answer.outcome is not Outcome.ACCEPTED:
            self.journal.note("end-refused", id=id, said=answer.words)
        return answer.accepted

    def _dead_letters(self) -> list[Violation]:
        lines = self._site.broker.control("-q", "list_queues", "--no-table-headers", "name", "messages").splitlines()
        queues = dict(line.split("\t") for line in lines)
        return [Violation("dead-letters", "", f"{messages} in {queue}") for queue, messages in queues.items()
                if queue.endswith(".dead") and messages != "0"]

    def _noted(self) -> list[Violation]:
        return [Violation(words[0], "", f"{times} times, see the journal")
                for words, times in self.journal.of("violation").items()]

    def _defects(self) -> list[Violation]:
        """What no daemon had expected; each logs it as critical."""
        lines = [(path.stem, line) for path in sorted((self._site.folder / "log").glob("*.log"))
                 for line in path.read_text(errors="replace").splitlines() if CRITICAL in line]
        words = Counter((name, orjson.loads(line)["msg"][:200]) for name, line in lines)
        return [Violation("defect", "", f"{times} times in the log of {name}: {said}")
                for (name, said), times in words.items()]

    def explain(self, found: Iterable[Violation]) -> dict[str, str]:
        """Id -> what the operator is told, of the first few."""
        ids = list(dict.fromkeys(violation.id for violation in found if violation.id))[:EXPLAINED]
        return {id: self._explanation(id) for id in ids}

    def _explanation(self, id: str) -> str:
        try:
            answer: Any = ask_operator(self._site.folder, "explain", {"id": id})
        except errors.StackdError as error:
            return str(error)
        return rendered(answer).replace("\n", "\n    ")


def _faults(now: rows.Rows) -> dict[str, int]:
    return dict(Counter(one.fault.message for one in now.instances.values() if one.fault is not None))
