"""Filters, order, pages and fields, the same for every list."""

import pytest
from pytest_twisted import ensureDeferred


@pytest.fixture
def names(neutron):
    """A function from a query to the names of the networks it finds, after five were made."""
    made = []

    async def names(query):
        if not made:
            for name in "badce":
                made.append(await neutron.make("/networks", "network", name=name, description=f"of {name}"))
        found = await neutron.list(f"/networks?{query}", "networks")
        return "".join(network["name"] for network in found if len(network["name"]) == 1)

    return names


@pytest.mark.parametrize("query, expected", [
    ("name=a", "a"), ("name=a&name=b", "ab"), ("name=a&description=of%20b", ""), ("name=a&description=of%20a", "a"),
    ("name=None", "abcde"), ("unheard_of=x", "abcde"), ("shared=false", "abcde"), ("shared=True", ""),
    ("admin_state_up=1&name=c", "c"), ("tags=x", ""), ("name=", ""), ("id=nonsense", "")])
@ensureDeferred
async def test_filters_are_exact_and_repeats_are_alternatives(names, query, expected):
    assert "".join(sorted(await names(query))) == expected


@ensureDeferred
async def test_ids_are_found_with_and_without_dashes(neutron):
    network = await neutron.make("/networks", "network", name="x")
    for id in (network["id"], network["id"].replace("-", "")):
        assert await neutron.list(f"/networks?id={id}", "networks") == [network]


@ensureDeferred
async def test_ports_are_found_by_address_and_subnet_together(neutron):
    network = (await neutron.list("/networks?name=default", "networks"))[0]
    ports = [await neutron.make("/ports", "port", network_id=network["id"]) for _ in range(2)]
    fixed = ports[0]["fixed_ips"][0]
    query = f"fixed_ips=ip_address%3D{fixed['ip_address']}&fixed_ips=subnet_id%3D{fixed['subnet_id']}"
    assert await neutron.list(f"/ports?{query}", "ports") == [ports[0]]
    assert await neutron.list(f"/ports?{query}&device_id=nobody", "ports") == []


@pytest.mark.parametrize("query, expected", [
    ("sort_key=name", "abcde"), ("sort_key=name&sort_dir=desc", "edcba"),
    ("sort_key=admin_state_up&sort_dir=asc&sort_key=name&sort_dir=desc", "edcba")])
@ensureDeferred
async def test_lists_have_an_order(names, query, expected):
    assert await names(query) == expected


@pytest.mark.parametrize("query", ["sort_key=colour", "sort_key=name&sort_dir=up", "sort_dir=asc", "limit=-1",
                                   "limit=x", "marker=00000000-0000-0000-0000-000000000000", "sort_key=tags"])
@ensureDeferred
async def test_wrong_controls_are_refused(neutron, query):
    assert (await neutron.ask("GET", f"/networks?{query}")).status == 400


@ensureDeferred
async def test_pages_lead_forwards_and_back(neutron, names):
    everything = "sort_key=name&name=a&name=b&name=c&name=d&name=e"
    assert await names(everything) == "abcde"
    seen, query = [], f"/networks?{everything}&limit=2"
    while query:
        body = (await neutron.ask("GET", query)).body
        seen.append("".join(network["name"] for network in body["networks"]))
        links = {link["rel"]: link["href"] for link in body.get("networks_links", ())}
        query = links.get("next", "").partition("/v2.0")[2]
    assert seen == ["ab", "cd", "e"]
    body = (await neutron.ask("GET", links["previous"].partition("/v2.0")[2])).body
    assert [network["name"] for network in body["networks"]] == ["c", "d"]


@ensureDeferred
async def test_fields_are_chosen(neutron):
    network = await neutron.make("/networks", "network", name="x")
    assert await neutron.list("/networks?name=x&fields=name&fields=id", "networks") == [
        {"name": "x", "id": network["id"]}]
    shown = await neutron.ask("GET", f"/networks/{network['id']}?fields=mtu")
    assert shown.body == {"network": {"mtu": 1450}}
