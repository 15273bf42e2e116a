"""``python -m stackd.testing.demo up|down --state DIR``; ``make cloud`` and ``make down`` call it."""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stackd import errors
from stackd.testing.demo.first_vm import FirstVM
from stackd.testing.demo.process import CloudProcess
from stackd.testing.demo.waiting import say
from stackd.testing.guestimage.build import build


def main() -> int:
    """Run; the exit status is 1 when something went wrong, which was then printed."""
    parser = argparse.ArgumentParser(prog="stackd.testing.demo", description=__doc__)
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port-base", type=int, help="where the APIs listen; as configured when left out")
    arguments = parser.parse_args()
    action = {"up": up, "down": down}[arguments.action]
    try:
        action(CloudProcess(arguments.state.resolve(), arguments.port_base))
    except errors.StackdError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def up(cloud: CloudProcess) -> None:
    """Bring up what is not up yet: the image and the cloud side by side, then the first VM."""
    begun = time.monotonic()
    cloud.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ThreadPoolExecutor(1) as pool:
        image = pool.submit(build, cloud.state / "guest-image", say)
        cloud.start()
        made = image.result()
    vm = FirstVM(cloud.state)
    vm.upload(made)
    vm.boot()
    vm.wait_for_ssh()
    print(vm.summary())
    say(f"all of it took {time.monotonic() - begun:.0f} s")


def down(cloud: CloudProcess) -> None:
    """Stop the cloud, remove everything it made on this machine, and forget its rows."""
    cloud.stop()
    cloud.sweep()
    cloud.forget()


if __name__ == "__main__":
    sys.exit(main())
