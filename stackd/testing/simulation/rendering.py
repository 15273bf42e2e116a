"""The findings of a simulated cloud as tables for people."""

from collections.abc import Iterable, Sequence

from stackd.testing.simulation.plan import Findings, Idle, Placing, Spent, Storm, Wipe

PLACINGS_TARGET, BOOTS_TARGET, SETTLED_TARGET = 1000, 10_000, 30
Line = tuple[str, str, str]


def rendered(found: Findings) -> str:
    """Everything."""
    plan = found.plan
    head = (f"{plan.hosts} hosts, {plan.launches} launches into {plan.projects} projects by {plan.clients} clients, "
            f"RabbitMQ and {plan.database}, on {found.cores} cores that carry all of it")
    lines = [("every host said hello after", f"{found.ready:.1f} s", ""), *_storm(found.storm), *_wipe(found.wipe),
             *_placing(found.placing), *_promises(found)]
    parts = [head, _table(lines), *(_of_storm(found.storm)), *(_of_idle(found.idle)), *(_of_placing(found.placing)),
             *(_of_wipe(found.wipe))]
    return "\n".join(parts)


def _storm(storm: Storm) -> list[Line]:
    return [
        ("boots", f"{storm.per_minute:.0f} /min", f"target {BOOTS_TARGET}"),
        ("launches answered", f"{60 * storm.boots / storm.answered:.0f} /min", ""),
        ("POST answered, p50 / p99", f"{1000 * storm.post_p50:.0f} / {1000 * storm.post_p99:.0f} ms", ""),
        ("launch to ACTIVE, p50 / p99", f"{storm.to_active_p50:.2f} / {storm.to_active_p99:.2f} s", ""),
        ("transactions for each boot", f"{storm.transactions / storm.boots:.1f}", ""),
        ("messages for each boot", f"{storm.messages / storm.boots:.1f}", "")]


def _wipe(wipe: Wipe) -> list[Line]:
    return [
        ("broker wiped: all hosts heard of after", f"{wipe.reconnected:.1f} s", f"it was away for {wipe.away:.1f} s"),
        (f"the {wipe.in_flight} in flight active after", f"{wipe.active:.1f} s", f"target {SETTLED_TARGET}")]


def _placing(placing: Placing) -> list[Line]:
    return [(f"placements of {placing.placed} by {placing.schedulers} schedulers", f"{placing.per_second:.0f} /s",
             f"target {PLACINGS_TARGET}; {placing.seconds:.1f} s")]


def _promises(found: Findings) -> list[Line]:
    return [("hosts over-committed", str(found.overcommitted), ""), ("guests doubled", str(found.doubled), ""),
            ("instances that failed", str(found.faulted), "")]


def _of_storm(storm: Storm) -> list[str]:
    rows = [(one.kind, str(one.processes), f"{one.memory_mb:.0f}", f"{one.cpu_seconds:.1f}",
             f"{1000 * one.cpu_seconds / storm.boots:.2f}", _per(storm.boots, one)) for one in storm.spent]
    return _titled("the launches", ("daemon", "processes", "MB", "cpu s", "ms a boot", "boots per cpu s"),
                   [*rows, _sum(storm.spent, storm.boots)])


def _of_idle(idle: Idle) -> list[str]:
    rows = [(one.kind, f"{one.cpu_seconds:.2f}", f"{1e6 * one.cpu_seconds / max(1.0, idle.fetches):.0f}")
            for one in idle.spent]
    return _titled(f"{idle.seconds:.0f} s of nothing but heartbeats", ("daemon", "cpu s", "us a heartbeat"), rows)


def _of_placing(placing: Placing) -> list[str]:
    rows = [(one.kind, f"{one.cpu_seconds:.1f}", _per(placing.placed, one)) for one in placing.spent
            if one.cpu_seconds > 0.05]
    return _titled("placing, starts included", ("daemon", "cpu s", "placements per cpu s"), rows)


def _of_wipe(wipe: Wipe) -> list[str]:
    rows = [(one.kind, f"{one.cpu_seconds:.1f}", f"{one.memory_mb:.0f}") for one in wipe.spent]
    return _titled("the wipe", ("daemon", "cpu s", "MB"), rows)


def _sum(spent: Iterable[Spent], boots: int) -> tuple[str, ...]:
    many = list(spent)
    whole = Spent(kind="all", processes=sum(one.processes for one in many), memory_mb=sum(
        one.memory_mb for one in many), cpu_seconds=sum(one.cpu_seconds for one in many))
    return (whole.kind, str(whole.processes), f"{whole.memory_mb:.0f}", f"{whole.cpu_seconds:.1f}",
            f"{1000 * whole.cpu_seconds / boots:.2f}", _per(boots, whole))


def _per(count: int, one: Spent) -> str:
    return f"{count / one.cpu_seconds:.0f}" if one.cpu_seconds > 0 else "-"


def _titled(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["", f"What each kind of daemon used in {title}:", _table([heads, *rows])]


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) if index else cell.ljust(width)
                  for index, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows)
