"""EC2's short ids name one row each: the database sees to it."""

import pytest

from stackd import errors
from stackd.core.flavors import seed
from stackd.store import instances
from stackd.testing.projects import Cloud
from stackd.testing.records import an_instance


def test_two_rows_never_share_what_ec2_shows_of_an_id() -> None:
    cloud = Cloud()
    cloud.write(seed)
    digits = "0123456789abcdef0"
    cloud.write(instances.insert_all, [an_instance(id=digits.ljust(32, "1"))], 1, "")
    with pytest.raises(errors.ConcurrentUpdate):
        cloud.write(instances.insert_all, [an_instance(id=digits.ljust(32, "2"))], 1, "")
