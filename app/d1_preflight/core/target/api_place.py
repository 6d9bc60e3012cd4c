"""Which login and which API wrangler takes out of its environment (read in its 4.164.0)."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

API_BASE_NAMES = ("CLOUDFLARE_API_BASE_URL", "CF_API_BASE_URL")
TOKEN_NAMES = ("CLOUDFLARE_API_TOKEN", "CF_API_TOKEN")
KEY_NAMES = ("CLOUDFLARE_API_KEY", "CF_API_KEY")
EMAIL_NAMES = ("CLOUDFLARE_EMAIL", "CF_EMAIL")
ACCOUNT_NAMES = ("CLOUDFLARE_ACCOUNT_ID", "CF_ACCOUNT_ID")
REMOTE, PRACTICE = "remote", "practice"
_OFFICIAL = frozenset({"api.cloudflare.com", "api.fed.cloudflare.com"})


def first_set(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The first of these variables that is set and not empty; "" where none is."""
    return next((name for name in names if environ.get(name)), "")


def login_variable(environ: Mapping[str, str]) -> str:
    """The variable that logs in: a global key with its e-mail address wins over a token."""
    key = first_set(environ, KEY_NAMES)
    return key if key and first_set(environ, EMAIL_NAMES) else first_set(environ, TOKEN_NAMES)


def api_place(environ: Mapping[str, str]) -> str:
    """What answers as Cloudflare's API: remote, practice (this machine), or another host by name.

    A record that was made elsewhere than on Cloudflare must say so: practice proves nothing.
    """
    base = environ.get(first_set(environ, API_BASE_NAMES), "")
    if not base:
        staging = environ.get("WRANGLER_API_ENVIRONMENT") == "staging"
        return "api.staging.cloudflare.com" if staging else REMOTE
    try:
        address = urlsplit(base.strip())
        host, port = (address.hostname or "").rstrip("."), address.port
    except ValueError:
        return "an unreadable API base"
    if host in _OFFICIAL and address.scheme == "https" and port in (None, 443):
        return REMOTE
    if is_loopback(host):
        return PRACTICE
    return f"{host}:{port}" if port else host or "an unreadable API base"


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
