"""The state folder: whole after a rebuild, numbers kept and reused, damage shown as absence."""

from pathlib import Path

from attrs import evolve

from stackd.drivers.networks.linuxbridge.folder import Folder
from stackd.model.wirings import WiringChange
from stackd.testing.contracts.network import network_of, port_of, removal_of, shown, small_cloud


def test_rebuilt(tmp_path: Path) -> None:
    """Another folder object over the same place holds the same records and numbers."""
    change = small_cloud()
    folder = Folder(tmp_path)
    folder.enter(change)
    again = Folder(tmp_path)
    assert again.book == folder.book
    assert again.book.groups[change.groups[0].id] == change.groups[0]
    assert again.numbers == folder.numbers
    again.enter(removal_of(change))
    assert Folder(tmp_path).book.observed() == Folder(tmp_path / "none").book.observed()


def test_numbers(tmp_path: Path) -> None:
    """A number belongs to its port as long as the port is there, and is given again afterwards."""
    network = network_of()
    ports = tuple(port_of(network, number) for number in (5, 6, 7))
    folder = Folder(tmp_path)
    folder.enter(WiringChange(networks=(network,), ports=ports))
    assert [folder.numbers["ports"][port.id] for port in ports] == [1, 2, 3]
    folder.enter(WiringChange(remove_ports=(ports[1].id,), ports=(evolve(ports[2], generation=2),)))
    assert folder.numbers["ports"] == {ports[0].id: 1, ports[2].id: 3}
    heir = port_of(network, 8)
    folder.enter(WiringChange(ports=(heir,)))
    assert Folder(tmp_path).numbers["ports"][heir.id] == 2


def test_begun_and_not_ended(tmp_path: Path) -> None:
    """A network on which a change did not end is known after a rebuild, and its number is given to no other."""
    change, other = small_cloud(), network_of()
    id = change.networks[0].id
    folder = Folder(tmp_path)
    folder.enter(change, {id})
    folder.end({id})
    assert Folder(tmp_path).begun == set()
    folder.enter(removal_of(change), {id})
    again = Folder(tmp_path)
    assert again.begun == {id} and again.book.networks == {}
    again.enter(WiringChange(networks=(other,)), {other.id})
    assert again.numbers["networks"] == {id: 1, other.id: 2}
    again.end({id})
    again = Folder(tmp_path)
    assert again.begun == {other.id} and again.numbers["networks"] == {other.id: 2}
    again.end({other.id})
    assert not (tmp_path / "begun.json").exists()


def test_removed_with_its_network(tmp_path: Path) -> None:
    """Nothing is kept of ports on a network that goes, nor of floating addresses that lead to them."""
    change = small_cloud()
    folder = Folder(tmp_path)
    folder.enter(change)
    folder.enter(WiringChange(remove_networks=(change.networks[0].id,)))
    assert folder.book.observed() == Folder(tmp_path).book.observed() == shown(WiringChange(groups=change.groups))


def test_damage(tmp_path: Path) -> None:
    """A file that cannot be read is left out; forgetting leaves no file, and no folder."""
    change = small_cloud()
    folder = Folder(tmp_path / "network")
    folder.enter(change)
    (tmp_path / "network" / "ports" / f"{change.ports[0].id}.json").write_text("{")
    (tmp_path / "network" / "begun.json").write_text("[1]")
    again = Folder(tmp_path / "network")
    assert again.book.ports == {} and again.book.networks and again.begun == set()
    again.forget()
    assert not (tmp_path / "network").exists()


def test_foreign_files_stay(tmp_path: Path) -> None:
    """What is not ours in the folder is left there."""
    (tmp_path / "theirs").write_text("x")
    folder = Folder(tmp_path)
    folder.enter(small_cloud())
    folder.forget()
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]
