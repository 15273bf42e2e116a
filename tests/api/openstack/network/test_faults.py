"""Errors in Neutron's words."""

import pytest

from stackd import errors
from stackd.api.openstack.network.faults import render
from stackd.model import ids, kinds

ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("error, status, type", [
    (errors.NotFound(kinds.NETWORK, ID), 404, "NetworkNotFound"),
    (errors.NotFound(kinds.FLOATING_IP, ID), 404, "FloatingIPNotFound"),
    (errors.NotFound(kinds.PROJECT, ID), 404, "HTTPNotFound"),
    (errors.InUse(kinds.SECURITY_GROUP, ID, "2 ports"), 409, "SecurityGroupInUse"),
    (errors.AlreadyExists(kinds.SECURITY_GROUP_RULE, "ssh"), 409, "SecurityGroupRuleExists"),
    (errors.AlreadyExists("mac_address", "fa:16:3e:00:00:01"), 409, "MacAddressInUse"),
    (errors.AddressInUse("x"), 409, "IpAddressInUse"),
    (errors.NoMoreAddresses("x"), 409, "IpAddressGenerationFailure"),
    (errors.QuotaExceeded("ports", 1, 1, 1), 409, "OverQuota"),
    (errors.InvalidValue("cidr", "x"), 400, "InvalidInput"),
    (errors.NotSupported("x"), 400, "InvalidInput"),
    (errors.NotAllowed("x"), 403, "PolicyNotAuthorized"),
    (errors.NotAuthenticated("x"), 401, "NotAuthenticated"),
    (errors.DatabaseUnavailable("x"), 503, "DatabaseUnavailable")])
def test_errors_have_neutrons_status_and_type(error, status, type):
    found, body = render(error)
    assert (found, body["NeutronError"]["type"]) == (status, type)


def test_ids_in_messages_are_written_as_everywhere_in_this_api():
    _, body = render(errors.InUse(kinds.NETWORK, ID, "2 ports"))
    assert ids.dashed(ID) in body["NeutronError"]["message"]
    assert body["NeutronError"]["message"].endswith("Release what uses it first.")
