"""STS: who am I."""

from stackd.api.ec2.calls import Action, Call, Values
from stackd.model.callers import READER


async def get_caller_identity(call: Call) -> Values:
    """The caller's user, and the account its project shows as."""
    caller = call.caller
    return {"UserId": caller.user_id, "Account": caller.account,
            "Arn": f"arn:aws:iam::{caller.account}:user/{caller.user_name}"}


ACTIONS = {"GetCallerIdentity": Action(run=get_caller_identity, role=READER, words="ask who they are")}
