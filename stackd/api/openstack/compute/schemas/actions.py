"""Bodies of ``POST /servers/{id}/action``, one per action."""

from stackd.api.openstack.compute.microversions import Body, Property
from stackd.api.openstack.compute.schemas.types import NAME

START = Body("os-start", inner={})
STOP = Body("os-stop", inner={})
LOCK = Body("lock", Property("locked_reason", {"type": "string", "minLength": 1, "maxLength": 255}, since=(2, 73)),
            optional=True)
UNLOCK = Body("unlock", inner={})
REBOOT = Body("reboot", Property("type", {"enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}, required=True))
CONSOLE = Body("os-getConsoleOutput", Property("length", {"anyOf": [
    {"type": ["integer", "null"], "minimum": -1}, {"type": "string", "pattern": "^(-1|[0-9]{1,9})$"}]}))
ADD_GROUP = Body("addSecurityGroup", Property("name", NAME, required=True))
REMOVE_GROUP = Body("removeSecurityGroup", Property("name", NAME, required=True))
