"""What the tables of accounts hold, and those of allauth and knox.

A new table or column is a new line here. Tables that refer to another come before it.
"""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, nobody, personal, plain, secret

MINE = "t.user_id = %(account)s"

TABLES = (
    nobody("accounts_captchaused", "expires_at", hidden="nonce"),
    Table(
        "account_emailconfirmation",
        _("Links that prove an e-mail address."),
        plain("id created sent email_address_id"),
        secret("key"),
        about="t.email_address_id IN"
        " (SELECT id FROM account_emailaddress WHERE user_id = %(account)s)",
        section="email_confirmations",
        deletes=True,
    ),
    Table(
        "account_emailaddress",
        _("Your e-mail addresses, to sign in, to write to you, and to let you in again."),
        plain("id verified primary user_id"),
        personal("email"),
        about=MINE,
        section="email_addresses",
        deletes=True,
    ),
    Table(
        "socialaccount_socialtoken",
        _("Tokens of providers; the shop stores none."),
        plain("id app_id account_id expires_at"),
        secret("token token_secret"),
        about="t.account_id IN"
        " (SELECT id FROM socialaccount_socialaccount WHERE user_id = %(account)s)",
        section="provider_tokens",
        deletes=True,
    ),
    Table(
        "socialaccount_socialaccount",
        _("Your accounts elsewhere that sign you in here."),
        plain("id user_id last_login date_joined"),
        personal("provider uid extra_data"),
        about=MINE,
        section="providers",
        deletes=True,
    ),
    nobody(
        "socialaccount_socialapp",
        "id provider provider_id name",
        hidden="client_id secret key settings",
    ),
    Table(
        "accounts_codeattempt",
        _("When wrong codes were sent for your account, for a day, so that nobody can guess one."),
        plain("id user_id at"),
        about=MINE,
        section="wrong_codes",
        deletes=True,
    ),
    Table(
        "mfa_authenticator",
        _("Your authenticator app, passkeys and recovery codes."),
        plain("id type created_at last_used_at user_id"),
        secret("data"),
        about=MINE,
        section="second_factors",
        # Of what is in `data`, the name of a passkey is the owner's.
        row="json_build_object('id', t.id, 'type', t.type, 'name', t.data ->> 'name',"
        " 'created_at', t.created_at, 'last_used_at', t.last_used_at)",
        deletes=True,
    ),
    Table(
        "accounts_browsersession",
        _("Browsers that are signed in for you, so that you find one that is not yours."),
        plain("id user_id created_at last_used_at"),
        personal("address agent"),
        secret("session_key"),
        about=MINE,
        section="browser_sessions",
        deletes=True,
    ),
    Table(
        "accounts_place",
        _("Digests of where you signed in from, to tell you of a sign-in from elsewhere."),
        plain("id user_id created_at last_used_at told_at"),
        secret("digest"),
        about=MINE,
        section="sign_in_places",
        deletes=True,
    ),
    Table(
        "accounts_liveticket",
        _("Passes to the live feed, which are good for seconds."),
        plain("expires_at credential_ends_at user_id"),
        secret("digest token_digest session_key"),
        about=MINE,
        section="live_tickets",
        deletes=True,
    ),
    Table(
        "accounts_outgoingmail",
        _("Mails to you of the last seven days; their text only until they are sent."),
        plain("id purpose status created_at next_attempt_at attempts claim claimed_at finished_at"),
        personal("recipient subject error origin"),
        # Links in it let people in.
        secret("body"),
        about="lower(t.recipient) = ANY(%(emails)s)",
        section="mails",
        deletes=True,
    ),
    Table(
        "knox_authtoken",
        _("Programs and devices that are signed in for you, and your keys."),
        plain("id kind created user_id expiry permissions prefix methods"),
        plain("last_used_at replaced_by refreshes refreshed_at"),
        personal("name networks last_used_address"),
        secret("digest token_key parent_id asked"),
        about=MINE,
        section="tokens",
        deletes=True,
    ),
    Table(
        "accounts_user_groups",
        _("Groups of the admin that you are in."),
        plain("id user_id group_id"),
        about=MINE,
        section="groups",
        deletes=True,
    ),
    Table(
        "accounts_user_user_permissions",
        _("Rights in the admin that you have."),
        plain("id user_id permission_id"),
        about=MINE,
        section="admin_rights",
        deletes=True,
    ),
    Table(
        "accounts_user",
        _("Your account: your names, what you may do, and what you have chosen."),
        plain("id date_joined namesake permissions"),
        personal("is_active is_superuser is_staff is_client", erased="false"),
        personal("last_login", erased="NULL"),
        personal("username userid", erased="%(erased_name)s"),
        personal("email language time_zone theme", erased="''"),
        personal("roles team_roles", erased="'{}'"),
        personal("role_permissions", erased="0"),
        personal("second_factor", erased="false"),
        secret("password", erased="'!'"),
        secret("session_salt", erased="md5(gen_random_uuid()::text)"),
        about="t.id = %(account)s",
        section="account",
    ),
)
