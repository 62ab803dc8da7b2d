"""Issues the key of an admin at the database: whoever can reach that needs no other leave."""

from secrets import token_bytes

from pydantic import TypeAdapter, ValidationError

from application.authorization import EVERYBODY
from application.context import Context
from application.keys import IssueKey
from application.wording import sentence
from domain.access.text import SECRET_BYTES, digest_of, written
from domain.access.values import Role, TenantName
from infrastructure import bootstrap
from infrastructure.cli.keys import FirstKey
from infrastructure.main.process import reaching_the_database
from infrastructure.settings import Settings
from infrastructure.system import new_id

_TENANT = TypeAdapter(TenantName)


class KeyCannotBeIssued(Exception):
    """What was typed is no name, no tenant, or no good time."""

    code = "cli.input_unusable"


def first_key(settings: Settings, actor: str, name: str, tenant: str, days: int) -> FirstKey:
    """Issue *name* the key of an admin of *tenant*, good for *days*; *actor* is told as its giver.

    Raises:
        KeyCannotBeIssued: Nothing was done.
        DatabaseIsUnreachable: There is no database at its address.
    """
    key_id = new_id()
    try:
        text = written(_TENANT.validate_python(tenant), key_id, token_bytes(SECRET_BYTES))
        wish = IssueKey(
            key_id=key_id,
            name=name,
            roles=(Role.ADMIN,),
            expires_in_days=days,
            digest=digest_of(text),
        )
    except ValidationError as error:
        told = (
            f"{'.'.join(map(str, each['loc'])) or 'tenant'}: {sentence(each)}"
            for each in error.errors()
        )
        raise KeyCannotBeIssued(" ".join(told)) from None
    context = Context(
        tenant=tenant,
        actor=actor,
        correlation_id=new_id(),
        command_id=str(new_id()),
        roles=EVERYBODY,
    )
    with reaching_the_database(), bootstrap.database(settings) as access:
        here = settings.model_copy(
            update={"database_url": access.service, "database_owner_url": access.owner}
        )
        with bootstrap.system(here, "keys", connections=1) as system:
            system.dispatch(wish, context)
    return FirstKey(str(key_id), text)
