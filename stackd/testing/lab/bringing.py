"""A lab as ``stackd lab`` makes it: a site with the demo image in it, and words on how to use it. Blocking."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stackd import errors
from stackd.testing.demo.first_vm import IMAGE, FirstVM
from stackd.testing.demo.waiting import say
from stackd.testing.guestimage.build import build
from stackd.testing.lab.clients import openstack_client
from stackd.testing.lab.ground import Namespaces
from stackd.testing.lab.options import FAKE, SiteOptions
from stackd.testing.lab.site import Site

TINY = b"Fake guests pretend to boot from this.\n" * 32


def bring_up(folder: Path, options: SiteOptions, images: Path) -> Site:
    """Bring up what is not up yet; ``images`` is the folder of the demo image, which is built when it is not there."""
    site = Site(folder, options)
    if (site.options.hosts, site.options.database, site.options.drivers) != (
            options.hosts, options.database, options.drivers):
        kept = site.options
        raise errors.BadConfiguration(
            f"The lab in {folder} has {kept.hosts} {kept.drivers} hosts on {kept.database}.",
            remedy="Take it down first ('stackd lab down'), or leave the options out, or choose another --state.")
    with ThreadPoolExecutor(1) as pool:
        image = None if site.options.drivers == FAKE else pool.submit(build, images, say)
        site.prepare()
        say("the broker and the database run")
        site.start()
        say(f"{len(site.names)} daemons run, {len(site.hosts)} hosts have said hello")
        if image is not None:
            FirstVM(site.folder).upload(image.result())
    if image is None:
        _upload_tiny(site)
    return site


def guide(site: Site) -> str:
    """How to use it, for a person."""
    folder = site.folder
    lines = [
        f"OpenStack       {site.api_url}    . {folder}/openrc    or OS_CLIENT_CONFIG_FILE={folder}/clouds.yaml",
        f"EC2             {site.ec2_url}    set -a; . {folder}/aws.env; set +a",
        f"a server        openstack server create --image {IMAGE} --flavor t2.nano NAME"]
    if isinstance(site.ground, Namespaces):
        fabric = site.ground.fabric
        lines += [
            "on one host     the same as OS_CLOUD=stackd-admin, with --availability-zone :host-2",
            f"from outside    ip netns exec {fabric.outside} ssh root@ADDRESS    floating addresses: "
            f"{site.ground.external_cidr}",
            f"inside a host   ip netns exec {fabric.hosts[0].netns} bash"]
    lines += [
        f"what runs       stackd lab status --state {folder}    logs: {folder}/log",
        f"why             stackd explain ID --state {folder}",
        f"all gone        stackd lab down --state {folder}"]
    return "\n".join(f"  {line}" for line in lines)


def _upload_tiny(site: Site) -> None:
    images = openstack_client(site.admin).image
    if not images.find_image(IMAGE, ignore_missing=True):
        images.create_image(IMAGE, data=TINY, disk_format="raw", container_format="bare", visibility="public")
