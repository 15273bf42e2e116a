"""A daemon goes on as if nothing had been when the clock of its machine is set back."""

import subprocess
import sys

import pytest

GOES_ON = """
import random
from twisted.internet import reactor, task
from stackd.config.sections import Config
from stackd.daemons.plainparts import PlainParts
from stackd.daemons.prefork import Master
from stackd.reconcile.queue import QueueSettings, WorkQueue

right, off = type(reactor).seconds, [0.0]
type(reactor).seconds = lambda self: right() + off[0]

async def look(key):
    print(key, end=" ", flush=True)
    if off[0] and key == "round":
        reactor.stop()

def stepped():
    off[0] = -3600.0

{begun}
queue = WorkQueue(reactor, look, random.Random(1), QueueSettings(resync=4.0))
queue.add("round")
queue.start()
loop = task.LoopingCall(print, "tick", end=" ", flush=True)
loop.start(1.0)
reactor.callLater(0.5, stepped)
reactor.run()
"""


@pytest.mark.parametrize("begun", [
    "PlainParts(reactor, Config()).start()", "Master(reactor, [], 'localhost', 1.0).startService()"])
def test_timers_go_on_when_the_clock_is_set_back(begun: str) -> None:
    program = GOES_ON.replace("{begun}", begun)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split().count("tick") >= 3
    assert ended.stdout.split().count("round") >= 2
