"""The store in memory passes the suite of all stores."""

from typing import Any

import pytest

from stackd.drivers.imagestores.memory import MemoryImageStore
from stackd.testing.contracts.imagestore import ImageStoreContract


class TestMemoryImageStore(ImageStoreContract):
    @pytest.fixture
    def store(self) -> MemoryImageStore:
        return MemoryImageStore()

    def rebuilt(self, store: Any) -> Any:
        return store
