"""The token a cloud shows to an image service: of a service user, from Keystone v3, renewed before it expires.

``http.py`` asks for one before each question. One login at a time; the lifetime is what Keystone says between
issue and expiry, so that clocks need not agree.
"""

from datetime import datetime
from typing import Any

from twisted.internet.defer import DeferredLock

from stackd import errors
from stackd.config import sections
from stackd.drivers.images.asking import Answered, Asking
from stackd.interfaces.clock import Clock

EARLY_SECONDS = 300.0
EARLY_PART = 0.2
"""A token is renewed so long before its end: five minutes, or a fifth of a short life."""
_CHECK = "Ask the operator to check the service user in the section [image] of the configuration."


class Tokens:
    """The present token of the service user in a configuration."""

    def __init__(self, asking: Asking, clock: Clock, section: sections.Image) -> None:
        """``asking`` asks the identity service; nothing is asked yet."""
        self._asking = asking
        self._clock = clock
        self._url = f"{section.auth_url.rstrip('/')}/auth/tokens?nocatalog"
        self._login = login_of(section)
        self._lock = DeferredLock()
        self._token = ""
        self._renew_at = 0.0

    async def token(self) -> str:
        """One that is good for a while; raises ``Unavailable``."""
        if not self._good():
            await self._lock.acquire()
            try:
                if not self._good():
                    await self._log_in()
            finally:
                self._lock.release()
        return self._token

    def forget(self, token: str) -> None:
        """This one was not accepted; another one may have come meanwhile."""
        if token == self._token:
            self._token = ""

    def refused(self) -> errors.Unavailable:
        """The error for a service user that the image service does not know, or that may not do what it must."""
        return self._asking.unavailable("the service user of this cloud is not accepted", _CHECK)

    def _good(self) -> bool:
        return bool(self._token) and self._clock.seconds() < self._renew_at

    async def _log_in(self) -> None:
        now = self._clock.seconds()
        answered = await self._asking.ask("POST", self._url, {}, self._login)
        token = answered.headers.get("x-subject-token", "")
        if answered.status in (400, 401, 403):
            raise self.refused()
        if answered.status != 201 or not token:
            raise self._asking.unavailable(f"a login got the status {answered.status}", _CHECK)
        lifetime = self._lifetime(answered)
        self._renew_at = now + lifetime - min(EARLY_SECONDS, lifetime * EARLY_PART)
        self._token = token

    def _lifetime(self, answered: Answered) -> float:
        try:
            token = answered.body["token"]
            return max(0.0, (_moment(token["expires_at"]) - _moment(token["issued_at"])).total_seconds())
        except (TypeError, KeyError, ValueError) as error:
            raise self._asking.unavailable("a login got an answer that is none of Keystone") from error


def login_of(section: sections.Image) -> dict[str, Any]:
    """The body of a login: by application credential where one is configured, else by password."""
    if section.application_credential_id:
        credential = {"id": section.application_credential_id, "secret": section.application_credential_secret}
        return {"auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}}
    user = {"name": section.user, "domain": {"name": section.user_domain}, "password": section.password}
    project = {"name": section.project, "domain": {"name": section.project_domain}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                     "scope": {"project": project}}}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
