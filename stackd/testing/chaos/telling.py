"""The table at the end of a run, for people."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from stackd.testing.chaos.checks import Violation
from stackd.testing.chaos.journal import Journal

_OUTCOMES = ("accepted", "refused", "unknown")


@frozen(kw_only=True)
class Result:
    """What a run found. Seconds are None where the cloud did not settle."""

    seed: int
    minutes: float
    settled: float | None
    emptied: float | None
    """After everything was terminated."""
    instances: int
    faults: dict[str, int]
    """Words of a fault -> on how many instances."""
    violations: Sequence[Violation]
    explanations: dict[str, str]
    """Id -> what ``stackd explain`` says of it."""

    @property
    def well(self) -> bool:
        """Whether nothing was violated."""
        return not self.violations and self.settled is not None and self.emptied is not None


def table(result: Result, journal: Journal) -> str:
    """All of it."""
    return "\n".join([*_head(result), *_requests(journal), *_mischief(journal), *_ends(result, journal)])


def _head(result: Result) -> Iterator[str]:
    yield f"\nchaos: {result.minutes:g} minutes, seed {result.seed}, {result.instances} instances"


def _requests(journal: Journal) -> Iterator[str]:
    found = journal.of("request")
    verbs = sorted({words[:2] for words in found})
    yield f"\n  {'requests':<24}" + "".join(f"{outcome:>10}" for outcome in (*_OUTCOMES, "other"))
    for verb in verbs:
        mine = {words[2]: times for words, times in found.items() if words[:2] == verb}
        other = sum(times for outcome, times in mine.items() if outcome not in _OUTCOMES)
        yield f"  {' '.join(verb):<24}" + "".join(f"{mine.get(outcome, 0):>10}" for outcome in _OUTCOMES) \
            + f"{other:>10}"
    total = {outcome: sum(times for words, times in found.items() if words[2] == outcome) for outcome in _OUTCOMES}
    yield f"  {'all':<24}" + "".join(f"{times:>10}" for times in total.values())


def _mischief(journal: Journal) -> Iterator[str]:
    yield f"\n  {'mischief':<44}times"
    yield from (f"  {' '.join(words):<44}{times:>5}" for words, times in journal.of("mischief").items())
    yield from (f"  failed: {' '.join(words):<36}{times:>5}" for words, times in journal.of("monkey-failed").items())


def _ends(result: Result, journal: Journal) -> Iterator[str]:
    yield f"\n  settled after {_seconds(result.settled)}, emptied after {_seconds(result.emptied)}"
    for fault, times in sorted(result.faults.items()):
        yield f"  {times} instances carry the fault: {fault}"
    yield f"  {len(result.violations)} violations; the journal is {journal.path}"
    for violation in result.violations:
        yield f"\n  {violation.kind} {violation.id}: {violation.words}"
        if violation.id in result.explanations:
            yield f"    {result.explanations[violation.id]}"


def _seconds(seconds: float | None) -> str:
    return "NEVER" if seconds is None else f"{seconds:.1f} s"
