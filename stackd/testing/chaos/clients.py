"""Clients of the chaos: each a thread that launches, uses and terminates instances of its own through both APIs.

A client insists until it knows: what was lost it asks again, a launch through EC2 with the same client token, one
through OpenStack by looking for the name. What it was told goes into its :class:`Fleet`.
"""

import random
import threading
from collections.abc import Callable
from typing import Any

from attrs import frozen

from stackd.model import ids, kinds
from stackd.testing.chaos.asking import Answer, Outcome
from stackd.testing.chaos.ec2 import Ec2
from stackd.testing.chaos.fleet import GONE, RUNNING, STOPPED, Address, Fleet, Launch, Server
from stackd.testing.chaos.journal import Journal
from stackd.testing.chaos.openstack import OpenStack, short

AGAIN = 2.0
"""Between two tries of what was lost."""
GRACE = 120.0
"""How long after the end a client still insists."""
PORTS = (22, 80, 443, 8080)
_NEVER = (401, 403, 500)
_BECOMES = {"stop": STOPPED, "start": RUNNING, "reboot": RUNNING, "soft-reboot": RUNNING, "terminate": GONE}


@frozen(kw_only=True)
class Pace:
    """How much one client does."""

    pause: float = 1.0
    """Seconds between two requests, on average."""
    most_servers: int = 6
    most_addresses: int = 2


class Client:
    """One user."""

    def __init__(self, number: int, openstack: OpenStack, ec2: Ec2, journal: Journal, seed: int,
                 stop: threading.Event, pace: Pace) -> None:
        """``stop`` ends it, once it knows what became of its last request."""
        self.number = number
        self.fleet = Fleet()
        self._apis: dict[str, OpenStack | Ec2] = {"openstack": openstack, "ec2": ec2}
        self._openstack = openstack
        self._journal = journal
        self._random = random.Random(f"{seed}-{number}")
        self._stop = stop
        self._pace = pace
        self._launches = 0
        self._labels = 0
        self._uuids: dict[str, str] = {}
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"client-{number}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait until it has ended; after a while it gives up what it still asks."""
        self._thread.join(GRACE)
        self._given_up.set()
        self._thread.join()

    def _live(self) -> None:
        try:
            self.make_group()
            while not self._stop.wait(self._random.expovariate(1 / self._pace.pause)):
                self._choose()()
        except Exception as error:
            self._journal.note("client-died", repr(error))
            raise

    def _choose(self) -> Callable[[], None]:
        acts: list[tuple[float, Callable[[], None]]] = [(1.0, self._list), (1.0, self._rule)]
        alive = self.fleet.alive
        if len(alive) < self._pace.most_servers:
            acts.append((5.0, self._launch))
        if len(self.fleet.addresses) < self._pace.most_addresses:
            acts.append((1.0, self._allocate))
        if alive:
            acts += [(4.0, self._act), (1.5, self._terminate), (1.0, self._label)]
        if self.fleet.addresses:
            acts += [(1.0, self._attach), (1.0, self._detach), (0.3, self._release)]
        return self._random.choices([act for _, act in acts], [weight for weight, _ in acts])[0]

    # --- asking ---

    def _insist(self, api: str, verb: str, ask: Callable[[], Answer], **details: Any) -> tuple[Answer, bool]:
        """Ask until it is known what became of it; whether an answer was lost on the way."""
        lost = False
        while True:
            answer = ask()
            self._journal.note("request", api, verb, answer.outcome.value, client=self.number, status=answer.status,
                               said="" if answer.accepted else answer.words, **details)
            self._complain(api, verb, answer)
            if answer.outcome is not Outcome.UNKNOWN or self._given_up.is_set():
                return answer, lost
            lost = True
            self._given_up.wait(AGAIN)

    def _complain(self, api: str, verb: str, answer: Answer) -> None:
        """No trouble of the cloud is the client's fault: its credentials are good, and its quota is large."""
        if answer.status in _NEVER:
            self._journal.note("violation", f"status-{answer.status}", said=answer.words, api=api, verb=verb)

    def make_group(self) -> None:
        """Make the client's security group, which all its launches use."""
        while not self.fleet.group and not self._given_up.is_set():
            self.fleet.group = self._openstack.make_group(f"chaos-{self.number}") or ""
            if not self.fleet.group:
                self._given_up.wait(AGAIN)

    # --- instances ---

    def _launch(self) -> None:
        least, most = self._random.choice(((1, 1), (1, 1), (1, 1), (2, 2), (1, 3)))
        self.launch(self._random.choice(("openstack", "ec2")), least, most)

    def launch(self, api: str, least: int = 1, most: int = 1) -> Launch:
        """Launch some through ``openstack`` or ``ec2``, and find out whether it happened."""
        self._launches += 1
        name = f"chaos-{self.number}-{self._launches}x"
        launch = Launch(token=f"token-{name}", name=name, api=api, least=least, most=most)
        self.fleet.launches.append(launch)
        (self._launch_by_token if api == "ec2" else self._launch_by_name)(launch)
        self.fleet.servers += [Server(id=id, api=api) for id in launch.ids]
        return launch

    def _launch_by_token(self, launch: Launch) -> None:
        ids: list[str] = []

        def ask() -> Answer:
            answer, ids[:] = self._apis["ec2"].launch(launch.name, launch.least, launch.most, self._group("ec2"),
                                                      launch.token)
            return answer

        answer, lost = self._insist("ec2", "launch", ask, token=launch.token, ids=ids)
        launch.ids, launch.accepted = ids, answer.accepted
        # Refused after an answer was lost: the first request may still be under way.
        launch.certain = answer.accepted or not (lost or answer.outcome is Outcome.UNKNOWN)

    def _launch_by_name(self, launch: Launch) -> None:
        answer, ids = self._openstack.launch(launch.name, launch.least, launch.most, f"chaos-{self.number}",
                                             launch.token)
        self._journal.note("request", "openstack", "launch", answer.outcome.value, client=self.number,
                           status=answer.status, said="" if answer.accepted else answer.words, token=launch.token,
                           ids=ids)
        self._complain("openstack", "launch", answer)
        if answer.outcome is Outcome.UNKNOWN:
            self._look_for(launch)
        else:
            launch.ids, launch.accepted = ids, answer.accepted

    def _look_for(self, launch: Launch) -> None:
        launch.certain = False
        while not self._given_up.is_set():
            found = self._openstack.named(launch.name)
            if found is not None:
                self._journal.note("request", "openstack", "find-launch", "found" if found else "absent",
                                   token=launch.token, ids=found)
                launch.ids, launch.accepted = found, bool(found)
                return
            self._given_up.wait(AGAIN)

    def _act(self) -> None:
        self._ask_to(self._random.choice(("stop", "start", "reboot", "soft-reboot")),
                     self._random.choice(self.fleet.alive))

    def _terminate(self) -> None:
        self._ask_to("terminate", self._random.choice(self.fleet.alive))

    def _ask_to(self, verb: str, server: Server) -> None:
        api, id = self._side(server)
        answer, lost = self._insist(api, verb, lambda: self._apis[api].act(verb, id), id=id)
        if verb == "terminate" and (answer.status == 404 or b"InvalidInstanceID.NotFound" in answer.body) and lost:
            server.may_be = {GONE}
        elif answer.accepted:
            server.may_be = {_BECOMES[verb]}
            server.reboots += "reboot" in verb
        elif lost or answer.outcome is Outcome.UNKNOWN:
            server.may_be |= {_BECOMES[verb]}
        if GONE in server.may_be:
            self._forget_addresses(server)

    def _forget_addresses(self, server: Server) -> None:
        for address in self.fleet.addresses:
            if short(server.id) in address.may_lead:
                address.may_lead.add("")
                if not server.alive:
                    address.may_lead.discard(short(server.id))

    def _side(self, server: Server) -> tuple[str, str]:
        """Either API, and the instance's id there, as far as the client knows it."""
        if self._random.random() < 0.6:
            return server.api, server.id
        if server.api == "openstack":
            return "ec2", ids.ec2_id(kinds.INSTANCE, short(server.id))
        return ("openstack", self._uuids[short(server.id)]) if short(server.id) in self._uuids else ("ec2", server.id)

    def _label(self) -> None:
        server = self._random.choice(self.fleet.alive)
        self._labels += 1
        key, value = self._random.choice("ab"), str(self._labels)
        api, id = self._side(server)
        answer, lost = self._insist(api, "label", lambda: self._apis[api].label(id, key, value), id=id, value=value)
        if answer.accepted:
            server.labels[key] = {value}
        elif lost or answer.outcome is Outcome.UNKNOWN:
            server.labels.setdefault(key, {""}).add(value)

    def _list(self) -> None:
        api = self._random.choice(("openstack", "ec2"))
        found = self._apis[api].states()
        self._journal.note("request", api, "list", "unknown" if found is None else "accepted", client=self.number)
        if found is not None and api == "openstack":
            self._uuids |= {short(id): id for id in found}

    # --- groups ---

    def _group(self, api: str) -> str:
        group = self.fleet.group
        return group if api == "openstack" else ids.ec2_id(kinds.SECURITY_GROUP, short(group))

    def _rule(self) -> None:
        api, verb, port = (self._random.choice(all) for all in (("openstack", "ec2"), ("permit", "forbid"), PORTS))
        before = self.fleet.open_ports.get(int(port), {False})
        if before == {verb == "permit"}:
            return
        client = self._apis[str(api)]
        ask = client.permit if verb == "permit" else client.forbid
        answer, lost = self._insist(str(api), str(verb), lambda: ask(self._group(str(api)), int(port)), port=port)
        if answer.accepted:
            self.fleet.open_ports[int(port)] = {verb == "permit"}
        elif lost or answer.outcome is Outcome.UNKNOWN:
            self.fleet.open_ports[int(port)] = before | {verb == "permit"}

    # --- addresses ---

    def _allocate(self) -> None:
        api = self._random.choice(("openstack", "ec2"))
        ids: list[str] = []

        def ask() -> Answer:
            answer, id = self._apis[api].allocate()
            ids[:] = [id] if id else []
            return answer

        self._insist(api, "allocate", ask, ids=ids)
        self.fleet.addresses += [Address(id=id, api=api) for id in ids]

    def _attach(self) -> None:
        led = set[str]().union(*(address.may_lead for address in self.fleet.addresses))
        address = self._random.choice(self.fleet.addresses)
        free = [server for server in self.fleet.alive if short(server.id) not in led and server.api == address.api]
        if not free or address.may_lead != {""}:
            return
        server = self._random.choice(free)
        answer, lost = self._insist(address.api, "attach", lambda: self._apis[address.api].attach(
            address.id, server.id), address=address.id, id=server.id)
        if answer.accepted:
            address.may_lead = {short(server.id)}
        elif lost or answer.outcome is Outcome.UNKNOWN:
            address.may_lead.add(short(server.id))

    def _detach(self) -> None:
        address = self._random.choice(self.fleet.addresses)
        if address.may_lead == {""}:
            return
        answer, lost = self._insist(address.api, "detach", lambda: self._apis[address.api].detach(address.id),
                                    address=address.id)
        if answer.accepted:
            address.may_lead = {""}
        elif lost or answer.outcome is Outcome.UNKNOWN:
            address.may_lead.add("")

    def _release(self) -> None:
        free = [address for address in self.fleet.addresses if address.may_lead == {""}]
        if not free:
            return
        address = self._random.choice(free)
        answer, _ = self._insist(address.api, "release", lambda: self._apis[address.api].release(address.id),
                                 address=address.id)
        if answer.accepted:
            self.fleet.addresses.remove(address)
