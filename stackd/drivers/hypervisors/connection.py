"""One connection to libvirtd, opened when first needed and again when it was lost; libvirt's errors become ours.

The libvirt library is imported with the first connection only, so hosts without it can load everything else.
``domains.py`` calls it, from several threads at once.
"""

import importlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from stackd.errors import BadConfiguration, PermanentFailure, TransientFailure

T = TypeVar("T")

LOST = ("VIR_ERR_RPC", "VIR_ERR_INVALID_CONN", "VIR_ERR_NO_CONNECT")
HOPELESS = ("VIR_ERR_XML_ERROR", "VIR_ERR_XML_DETAIL", "VIR_ERR_XML_INVALID_SCHEMA", "VIR_ERR_CONFIG_UNSUPPORTED",
            "VIR_ERR_NO_SUPPORT", "VIR_ERR_ARGUMENT_UNSUPPORTED")


class Connection:
    """Runs functions of an open libvirt connection."""

    def __init__(self, uri: str) -> None:
        """Nothing is opened yet."""
        self._uri = uri
        self._lock = threading.Lock()
        self._open: Any = None
        self._library: Any = None

    @property
    def library(self) -> Any:
        """The module ``libvirt``; raises ``BadConfiguration`` where it is not installed."""
        if self._library is None:
            try:
                self._library = importlib.import_module("libvirt")
            except ImportError as error:
                raise BadConfiguration(f"libvirt's Python binding cannot be imported: {error}.",
                                       remedy="Install it with 'pip install stackd[libvirt]'.") from error
            self._library.registerErrorHandler(lambda context, error: None, None)
        return self._library

    def run(self, verb: Callable[[Any], T]) -> T:
        """``verb(connection)``, once more on a new connection when the old one was lost under it.

        ``verb`` must be idempotent. Raises ``TransientFailure`` and ``PermanentFailure``.
        """
        library = self.library
        try:
            opened = self._opened()
            try:
                return verb(opened)
            except library.libvirtError as error:
                if not self._was_lost(opened, error):
                    raise
                self._drop(opened)
            return verb(self._opened())
        except library.libvirtError as error:
            raise self._ours(error) from error

    def close(self) -> None:
        """Let go of the connection; a later ``run`` opens another."""
        with self._lock:
            opened, self._open = self._open, None
        if opened is not None:
            try:
                opened.close()
            except self.library.libvirtError:
                return

    def is_error(self, error: Exception, *names: str) -> bool:
        """Whether a libvirt error has one of these codes, given by the library's names for them."""
        code = getattr(error, "get_error_code", lambda: None)()
        return code in {getattr(self.library, name) for name in names}

    def _opened(self) -> Any:
        with self._lock:
            if self._open is None:
                self._open = self.library.open(self._uri)
            return self._open

    def _drop(self, lost: Any) -> None:
        # Only forgotten, not closed: other threads may still be waiting in it; the last one lets go of it.
        with self._lock:
            if self._open is lost:
                self._open = None

    def _was_lost(self, opened: Any, error: Exception) -> bool:
        return self.is_error(error, *LOST) or not opened.isAlive()

    def _ours(self, error: Exception) -> Exception:
        if self.is_error(error, *HOPELESS):
            return PermanentFailure(f"libvirt refuses the guest: {error}.")
        return TransientFailure(f"libvirt: {error}.")
