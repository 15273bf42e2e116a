"""What is secret goes in, and comes out in no log and no error."""

import json
import stat
import time

from tests.cloud.running import Running
from tests.fuzz.people import Person
from tests.fuzz.wire import Wire

SECRET = "Xylophone7731"
PATIENCE = 10.0


def test_no_secret_reaches_the_log(cloud: Running, attacker: Person, admin: Person) -> None:
    """Passwords right and wrong, tokens, keys, user data and signatures, in bodies, headers and queries."""
    user = {"name": "demo", "domain": {"id": "default"}, "password": SECRET}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    wire, base = attacker.wire, f"/identity/v3/users/{attacker.user_id}"
    wire.send("POST", "/identity/v3/auth/tokens", body=json.dumps(login).encode())
    wire.send("POST", "/identity/v3/auth/tokens", body=json.dumps({**login, "password": SECRET}).encode())
    wire.send("POST", f"{base}/password", attacker.token, json.dumps(
        {"user": {"original_password": SECRET, "password": SECRET}}).encode())
    wire.send("GET", f"/compute/v2.1/servers?token={SECRET}&X-Amz-Signature={SECRET}&password={SECRET}", SECRET)
    wire.send("POST", "/compute/v2.1/servers", attacker.token, json.dumps({"server": {"user_data": SECRET}}).encode())
    names = ("UserData", "Signature", "X-Amz-Credential", "X-Amz-Security-Token", "PublicKeyMaterial")
    Wire(cloud.base).send("GET", "/?Action=RunInstances&" + "&".join(f"{name}={SECRET}" for name in names))
    mark = "the-last-request-of-all"
    wire.send("GET", f"/compute/v2.1/servers?name={mark}", attacker.token)
    deadline = time.monotonic() + PATIENCE
    while mark not in (said := cloud.log()):
        assert time.monotonic() < deadline, "requests are not written down"
        wire.send("GET", "/identity/v3", attacker.token)
    for secret in (SECRET, attacker.token, admin.token, attacker.key["secret"], admin.key["secret"]):
        assert secret not in said


def test_each_request_is_one_line(cloud: Running, attacker: Person) -> None:
    """With who, what, how it ended and how long it took."""
    mark = "a-request-to-find-again"
    attacker.wire.send("GET", f"/compute/v2.1/servers?name={mark}", attacker.token)
    deadline = time.monotonic() + PATIENCE
    while not (lines := [line for line in cloud.log().splitlines() if mark in line]):
        assert time.monotonic() < deadline, "requests are not written down"
        attacker.wire.send("GET", "/identity/v3", attacker.token)
    (line,) = map(json.loads, lines)
    assert (line["method"], line["status"], line["project"]) == ("GET", 200, attacker.project_id)
    assert line["request_id"].startswith("req-")
    assert line["ms"] > 0
    assert line["bytes"] > 0


def test_the_state_is_for_its_owner_alone(cloud: Running) -> None:
    """The database holds hashes, sealed secrets and user data."""
    for name in ("stackd.db", "identity.keys", "metadata.secret", "passwords.json", "operator.sock", "aws.env"):
        assert stat.S_IMODE((cloud.state / name).stat().st_mode) == 0o600, name
