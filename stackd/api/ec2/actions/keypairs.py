"""Key pairs: Create-, Import-, Delete- and DescribeKeyPairs."""

from contextlib import suppress

from stackd import errors
from stackd.api.ec2 import filters, lookups
from stackd.api.ec2.calls import Action, Call, Values
from stackd.model import kinds
from stackd.model.callers import MEMBER, READER
from stackd.model.ids import ec2_id
from stackd.model.keypairs import KeyPair, KeyType

PATHS = {"key-name": "KeyName", "key-pair-id": "KeyPairId", "fingerprint": "KeyFingerprint", "key-type": "KeyType"}


def _view(one: KeyPair, tags: list[dict[str, str]]) -> Values:
    return {"KeyPairId": ec2_id(kinds.KEYPAIR, one.id), "KeyName": one.name, "KeyFingerprint": one.ec2_fingerprint,
            "Tags": tags}


async def create_key_pair(call: Call) -> Values:
    """Generate a pair; the private key is in this answer and nowhere else."""
    if call.get("KeyFormat", "pem") != "pem":
        raise errors.NotSupported("KeyFormat must be pem.", remedy="Convert the key with puttygen.")
    lookups.specified_tags(call, "key-pair")
    made = await call.core.keypairs.create(call.caller, call.demand("KeyName"), KeyType(call.get("KeyType", "rsa")))
    tags = await lookups.tag_new(call, kinds.KEYPAIR, made.keypair.id)
    return {**_view(made.keypair, tags), "KeyMaterial": made.private_key}


async def import_key_pair(call: Call) -> Values:
    """Keep the caller's own public key."""
    lookups.specified_tags(call, "key-pair")
    one = await call.core.keypairs.import_key(call.caller, call.demand("KeyName"),
                                               call.demand("PublicKeyMaterial").decode("utf-8", "replace"))
    return _view(one, await lookups.tag_new(call, kinds.KEYPAIR, one.id))


async def delete_key_pair(call: Call) -> Values:
    """Remove a pair; one that does not exist is no error, as in AWS."""
    if not call.get("KeyName") and not call.get("KeyPairId"):
        raise errors.MissingValue("the parameter KeyName or KeyPairId")
    for one in await call.core.keypairs.list(call.caller):
        if call.get("KeyName") == one.name or call.get("KeyPairId") == ec2_id(kinds.KEYPAIR, one.id):
            with suppress(errors.NotFound):
                await call.core.keypairs.delete(call.caller, one.name)
            await call.core.tags.remove(call.caller, [one.id], None)
            return {"Return": True, "KeyPairId": ec2_id(kinds.KEYPAIR, one.id)}
    return {"Return": True}


async def describe_key_pairs(call: Call) -> Values:
    """The caller's key pairs."""
    pairs, tags = await call.core.keypairs.list(call.caller), await lookups.tags(call, kinds.KEYPAIR)
    names, wanted = call.items("KeyNames"), call.items("KeyPairIds")
    missing = [name for name in names if name not in {one.name for one in pairs}]
    if missing:
        raise errors.NotFound(kinds.KEYPAIR, ", ".join(missing))
    lookups.demand_known(kinds.KEYPAIR, wanted, (ec2_id(kinds.KEYPAIR, one.id) for one in pairs))
    shown = []
    for one in pairs:
        view = {**_view(one, tags.get(one.id, [])), "KeyType": one.type.value, "CreateTime": one.created_at}
        if call.get("IncludePublicKey"):
            view["PublicKey"] = one.public_key
        if (not names and not wanted) or one.name in names or view["KeyPairId"] in wanted:
            shown.append(view)
    return {"KeyPairs": filters.keep(call.items("Filters"), shown, PATHS)}


ACTIONS = {
    "CreateKeyPair": Action(run=create_key_pair, role=MEMBER, words="create key pairs",
                            takes={"KeyName", "KeyType", "KeyFormat", "TagSpecifications"}),
    "ImportKeyPair": Action(run=import_key_pair, role=MEMBER, words="import key pairs",
                            takes={"KeyName", "PublicKeyMaterial", "TagSpecifications"}),
    "DeleteKeyPair": Action(run=delete_key_pair, role=MEMBER, words="delete key pairs",
                            takes={"KeyName", "KeyPairId"}),
    "DescribeKeyPairs": Action(run=describe_key_pairs, role=READER, words="list key pairs",
                               takes={"KeyNames", "KeyPairIds", "Filters", "IncludePublicKey"}),
}
