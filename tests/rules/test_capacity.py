"""The words for no capacity."""

from stackd.model.scheduling import Refusal
from stackd.rules.capacity import no_capacity


def test_it_counts_by_filter_and_names_the_nearest_miss() -> None:
    refusals = [Refusal(host=f"h{number}", filter="memory", reason=f"needs 512 MiB of memory, has {number} free",
                        nearness=number / 512) for number in (10, 400, 20)]
    refusals.append(Refusal(host="z", filter="zone", reason="is in zone b, not a"))
    assert no_capacity(refusals) == (
        "No host could take the instance: of 4 hosts, memory refused 3, zone refused 1; "
        "the nearest miss needs 512 MiB of memory, has 400 free.")


def test_no_hosts_at_all() -> None:
    assert "no hosts" in no_capacity([])


def test_names_of_hosts_stay_inside() -> None:
    assert "secret-host" not in no_capacity([Refusal(host="secret-host", filter="alive", reason="does not answer")])
