"""A database that is put back from a copy: hosts went on meanwhile, and fit what it says afterwards."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackd.testing.lab.clients import openstack_client
from stackd.testing.lab.options import SiteOptions
from stackd.testing.lab.site import Site, standing
from stackd.testing.processes import wait_for

PATIENCE = 60.0
OPTIONS = SiteOptions(hosts=1, settings={"hosts": {"heartbeat": 1.0}})


def test_a_cloud_whose_database_was_put_back_settles(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with standing(tmp_path / "site", OPTIONS) as site:
        cloud = openstack_client(site.credentials)
        image = cloud.image.create_image("tiny", data=b"nothing to boot" * 64, disk_format="raw",
                                         container_format="bare")
        launch(cloud, image.id, "old", "doomed")
        assert reached(cloud, {"old": "ACTIVE", "doomed": "ACTIVE"})
        with at_rest(site):
            subprocess.run(["cp", "-a", site.server.folder, copy], check=True, timeout=PATIENCE)
        cloud.compute.delete_server(cloud.compute.find_server("doomed"))
        launch(cloud, image.id, "young")
        assert reached(cloud, {"old": "ACTIVE", "young": "ACTIVE"})
        young = cloud.compute.find_server("young").id
        with at_rest(site):
            shutil.rmtree(site.server.folder / "state")
            subprocess.run(["cp", "-a", copy / "state", site.server.folder], check=True, timeout=PATIENCE)
            site.server.start()
            subprocess.run([Path(sys.executable).with_name("stackd"), "db", "restored", "--config",
                            site.config("conductor-1")], check=True, timeout=PATIENCE)
        # What was there then is there again, but for the disk of what was deleted; hosts are heard, and told.
        assert reached(cloud, {"old": "ACTIVE", "doomed": "ERROR"})
        cloud.compute.stop_server(cloud.compute.find_server("old"))
        assert reached(cloud, {"old": "SHUTOFF", "doomed": "ERROR"})
        cloud.compute.delete_server(cloud.compute.find_server("doomed"))
        assert reached(cloud, {"old": "SHUTOFF"})
        # What came later nobody knows: it is kept, and told of.
        assert wait_for(lambda: young.replace("-", "") in site.log("compute@host-1").read_text(), PATIENCE)


@contextmanager
def at_rest(site: Site) -> Iterator[None]:
    """The control plane is stopped, and its database; the host goes on."""
    names = [name for name in site.names if "@" not in name]
    for name in names:
        site.stop_daemon(name)
    site.server.stop()
    yield
    site.server.start()
    for name in names:
        site.spawn(name)
    site.wait_ready()


def launch(cloud: Any, image: str, *names: str) -> None:
    """New servers."""
    for name in names:
        cloud.compute.create_server(name=name, image_id=image, networks="auto",
                                    flavor_id=cloud.compute.find_flavor("t2.nano").id)


def reached(cloud: Any, wanted: dict[str, str]) -> bool:
    """Whether the servers become these."""
    return wait_for(lambda: {one.name: one.status for one in cloud.compute.servers()} == wanted, PATIENCE, 0.3)
