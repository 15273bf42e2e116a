"""A small simulated cloud keeps what the large one promises: everything is counted, nothing timed."""

import json
import subprocess
import sys

TIMEOUT = 240


def test_a_small_cloud_is_simulated() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stackd.cli.main", "simulate", "--hosts", "50", "--launch", "100", "--in-flight", "50",
         "--schedulers", "2", "--hosts-per-process", "50", "--heartbeat", "2", "--idle", "2", "--json"],
        capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert (found["overcommitted"], found["doubled"], found["faulted"]) == (0, 0, 0)
    assert found["storm"]["boots"] == found["placing"]["placed"] == 100
    assert found["storm"]["transactions"] > 100
    assert found["storm"]["messages"] > 100
    used = {one["kind"]: one for one in found["storm"]["spent"]}
    assert used.keys() == {"api", "broker", "compute", "conductor", "image", "network", "postgresql", "registry",
                           "scheduler"}
    assert all(one["cpu_seconds"] > 0 and one["memory_mb"] > 10 for one in used.values())
