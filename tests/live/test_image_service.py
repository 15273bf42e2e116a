"""A cloud whose images are another's: two ``stackd cloud`` processes, the second one asked over HTTP alone.

Stock clients see the other's images and launch from them; when they are deleted, or the other cloud is away, users
are told so, and it goes on when it is back.
"""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from stackd.daemons.passwords import passwords_of
from stackd.testing.ports import free_base
from tests.cloud.running import Running

PATIENCE = 60.0
BIG = "m1.xlarge"
"""One of these fills the only host."""


@pytest.fixture
def images(tmp_path: Path) -> Iterator[list[Running]]:
    """The cloud that has the images; the last of the list is the one that runs."""
    state = tmp_path / "images"
    state.mkdir()
    running = [Running(state, free_base())]
    yield running
    running[-1].kill()


@pytest.fixture
def cloud(tmp_path: Path, images: list[Running], monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """The cloud that has guests: one host with room for one of them."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    state = tmp_path / "guests"
    state.mkdir()
    base = f"http://127.0.0.1:{images[-1].base + 1}"
    config = tmp_path / "guests.toml"
    config.write_text(f"""
[image]
driver = "http"
url = "{base}/image"
auth_url = "{base}/identity/v3"
user = "admin"
password = "{passwords_of(images[-1].state)["admin"]}"
project = "admin"
timeout = 5.0
[scheduler]
memory_allocation_ratio = 0.1
""")
    running = Running(state, free_base(), "--config", str(config), "--hosts", "1")
    yield running
    running.kill()


def openstack_of(running: Running, name: str) -> Any:
    """A stock client of one of its users."""
    clouds = OpenStackConfig(config_files=[str(running.state / "clouds.yaml")], load_envvars=False)
    return Connection(config=clouds.get_one(name))


def publish(running: Running, name: str) -> Any:
    """A public image of that cloud."""
    return openstack_of(running, "stackd-admin").image.create_image(
        name=name, disk_format="raw", container_format="bare", visibility="public", data=name.encode() * 5000,
        validate_checksum=False)


def launch(client: Any, image: str, kind: str = "t2.nano") -> str:
    """The id of a new instance."""
    answer = client.run_instances(ImageId=image, InstanceType=kind, MinCount=1, MaxCount=1)
    id: str = answer["Instances"][0]["InstanceId"]
    return id


def shown(client: Any, id: str) -> Any:
    """The instance as EC2 shows it."""
    return client.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


def ec2_image(client: Any, name: str) -> str:
    """The id of the image of that name."""
    id: str = next(image["ImageId"] for image in client.describe_images()["Images"] if image["Name"] == name)
    return id


def wait(look: Callable[[], Any]) -> None:
    """Until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)


def wait_for_state(client: Any, id: str, state: str) -> Any:
    """The instance in this state."""
    wait(lambda: shown(client, id)["State"]["Name"] == state)
    return shown(client, id)


def test_guests_boot_from_the_images_of_another_cloud(images: list[Running], cloud: Running) -> None:
    """Found by name, by EC2's id and by OpenStack's; the catalogue leads clients to the other cloud."""
    made = publish(images[-1], "elsewhere")
    client = cloud.ec2()
    assert {image["Name"] for image in client.describe_images()["Images"]} == {"tiny", "elsewhere"}
    assert ec2_image(client, "elsewhere") == "ami-" + made.id.replace("-", "")[:17]
    wait_for_state(client, launch(client, ec2_image(client, "elsewhere")), "running")
    demo = openstack_of(cloud, "stackd")
    assert demo.session.get_endpoint(service_type="image") == f"http://127.0.0.1:{images[-1].base + 1}/image"
    server = demo.compute.create_server(name="x", image_id=made.id, flavor_id=demo.compute.find_flavor("t2.nano").id,
                                        networks="auto")
    assert demo.compute.wait_for_server(server, wait=PATIENCE, interval=0.2).status == "ACTIVE"


def test_private_images_of_the_other_cloud_are_not_for_strangers(images: list[Running], cloud: Running) -> None:
    """Though the service user sees them."""
    made = openstack_of(images[-1], "stackd").image.create_image(
        name="private", disk_format="raw", container_format="bare", visibility="private", data=b"x" * 5000,
        validate_checksum=False)
    client = cloud.ec2()
    assert "private" not in {image["Name"] for image in client.describe_images()["Images"]}
    with pytest.raises(ClientError, match="InvalidAMIID.NotFound"):
        launch(client, "ami-" + made.id.replace("-", "")[:17])


def test_an_image_deleted_before_its_bytes_were_fetched(images: list[Running], cloud: Running) -> None:
    """What was launched by then boots: the other stackd keeps the bytes for a while, and who reads all gets them."""
    publish(images[-1], "doomed")
    client = cloud.ec2()
    first, doomed = launch(client, ec2_image(client, "tiny"), BIG), ec2_image(client, "doomed")
    wait_for_state(client, first, "running")
    second = launch(client, doomed, BIG)
    admin = openstack_of(images[-1], "stackd-admin")
    admin.image.delete_image(admin.image.find_image("doomed"))
    client.terminate_instances(InstanceIds=[first])
    wait_for_state(client, second, "running")
    with pytest.raises(ClientError, match="InvalidAMIID.NotFound"):
        launch(client, doomed)


def test_while_the_image_service_is_away(images: list[Running], cloud: Running) -> None:
    """Users are told which part is missing; what waits for bytes goes on when it is back."""
    publish(images[-1], "waiting")
    client = cloud.ec2()
    tiny, waiting = ec2_image(client, "tiny"), ec2_image(client, "waiting")
    first = launch(client, tiny, BIG)
    wait_for_state(client, first, "running")
    second = launch(client, waiting, BIG)
    images[-1].end(signal.SIGKILL)
    begun = time.monotonic()
    for ask in (lambda: launch(client, tiny), client.describe_images):
        with pytest.raises(ClientError, match="image service at http.* cannot be used now.*again") as raised:
            ask()
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert time.monotonic() - begun < 5
    client.terminate_instances(InstanceIds=[first])
    wait(lambda: "cannot be read now" in cloud.log())
    assert shown(client, second)["State"]["Name"] == "pending"
    images.append(Running(images[-1].state, images[-1].base))
    wait_for_state(client, second, "running")
    client.terminate_instances(InstanceIds=[second])
    wait_for_state(client, launch(client, tiny, BIG), "running")
