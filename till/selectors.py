"""What the till reads."""

from django.db.models import Q, Value

from accounts.models import USERNAME_MAX_LENGTH, User
from accounts.names import SYSTEM, NameKey, normalise

SUGGESTIONS = 8
# No stored name contains it, and in the index's order it follows every name.
_LAST = "\U0010ffff"


def customers_like(text: str) -> list[dict[str, str]]:
    """Return the username and userid of customers whose username or userid begins with ``text``.

    At most ``SUGGESTIONS`` of each, by username, found by two indexes. Without text there are none.
    """
    text = normalise(text.strip()[:USERNAME_MAX_LENGTH])
    if not text or "\x00" in text:
        return []
    customers = User.objects.filter(is_active=True, is_client=False, is_staff=False).exclude(
        Q(userid__startswith=SYSTEM)
    )
    by_name = customers.alias(key=NameKey("username")).filter(
        key__gte=NameKey(Value(text)), key__lt=NameKey(Value(text + _LAST))
    )
    by_userid = customers.filter(userid__startswith=text)
    found = {
        user.pk: {"username": user.username, "userid": user.userid}
        for user in [
            *by_name.order_by(NameKey("username"))[:SUGGESTIONS],
            *by_userid.order_by("userid")[:SUGGESTIONS],
        ]
    }
    return list(found.values())[:SUGGESTIONS]
