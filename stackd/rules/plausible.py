"""What hosts say, held against what a host could ever say: the conductor asks before anything reaches the database.

A host that was broken into says what it likes. What it may speak about is decided by ``admitting.py`` and by the rows;
here is refused what no worker of ours would write: other words than ``compute`` and ``network``, numbers that no column
holds, texts without end. Such a message can never be applied, so it is set aside at once instead of tried again.
"""

from collections.abc import Iterable
from typing import NoReturn

from stackd import errors
from stackd.model.assignments import MOST_ROWS as MOST_OF_PAGE
from stackd.model.assignments import FetchRequest, Hello, Report
from stackd.model.faults import Fault

WORKERS = ("compute", "network")
MOST_ROWS = 20_000
"""Things on one host."""
MOST_COUNT = 2**31 - 1
"""Generations: what an integer column holds."""
MOST_CAPACITY = 10**8
MOST_MARK = 2**62
"""Sessions and counters."""
MOST_TIME = 1e11
MOST_NAME = 255
MOST_TEXT = 64 * 1024
"""Letters of a fault's words."""


def plausible_hello(hello: Hello) -> Hello:
    """The same; raises ``Malformed``."""
    _worker(hello.worker)
    _text(hello.zone, MOST_NAME)
    _text(hello.tunnel_address, MOST_NAME)
    _rows(hello.physical_networks)
    if hello.capacity is not None:
        _counts((hello.capacity.vcpus, hello.capacity.memory_mib, hello.capacity.disk_gib), MOST_CAPACITY)
        _text(hello.capacity.hypervisor_type + hello.capacity.architecture + hello.capacity.virt_type
              + hello.capacity.hypervisor_hostname, MOST_NAME)
    return hello


def plausible_request(request: FetchRequest) -> FetchRequest:
    """The same; raises ``Malformed``."""
    _worker(request.worker)
    _counts((request.session, request.known.number), MOST_MARK)
    _text(request.known.incarnation, MOST_NAME)
    _text(request.known.within, MOST_NAME)
    if not 1 <= request.most <= MOST_OF_PAGE:
        _refuse(f"{request.most} rows are no page")
    _rows(request.held or ())
    return request


def plausible_report(report: Report) -> Report:
    """The same; raises ``Malformed``. Instances are the compute worker's, ports and addresses the network worker's."""
    _worker(report.worker)
    _counts((report.session, report.counter), MOST_MARK)
    if (report.ports or report.floating_ips) if report.worker == "compute" else report.instances:
        _refuse(f"a {report.worker} worker reports what is not its to observe")
    _rows([one.id for rows in (report.instances, report.ports, report.floating_ips) for one in rows])
    for one in report.instances:
        _counts((one.epoch, one.observed.generation, one.observed.reboots))
        if not 0 <= one.observed.at <= MOST_TIME:
            _refuse(f"{one.observed.at!r} is no time")
    _counts([*(one.generation for one in report.ports), *(one.generation for one in report.floating_ips)])
    for fault in (*(one.fault for one in report.instances), *(one.fault for one in report.ports)):
        if fault is not None:
            _fault(fault)
    return report


def _worker(word: str) -> None:
    if word not in WORKERS:
        _refuse(f"{word[:80]!r} is no worker")


def _rows(ids: Iterable[str]) -> None:
    found = list(ids)
    if len(found) > MOST_ROWS:
        _refuse(f"{len(found)} are more things than a host has")
    for id in found:
        _text(id, MOST_NAME)


def _fault(fault: Fault) -> None:
    _counts([fault.generation])
    _text(fault.message, MOST_TEXT)
    _text(fault.detail, MOST_TEXT)
    if not 0 <= fault.at <= MOST_TIME:
        _refuse(f"{fault.at!r} is no time")


def _counts(numbers: Iterable[int], most: int = MOST_COUNT) -> None:
    for number in numbers:
        if not 0 <= number <= most:
            _refuse(f"{number} is no count")


def _text(words: str, most: int) -> None:
    if len(words) > most or "\0" in words:  # which PostgreSQL does not take
        _refuse(f"a text of {len(words)} letters is too long, or has a NUL")


def _refuse(why: str) -> NoReturn:
    raise errors.Malformed(f"No host says this: {why}.")
