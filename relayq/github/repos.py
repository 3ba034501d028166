"""Whose repositories they are, and which are private; only those cost minutes."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

from relayq.errors import GitHubUnavailable, UsageError
from relayq.github.api import GitHub

# An underscore stands in the names of users whom an enterprise manages.
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/[A-Za-z0-9._-]{1,100}")


class Repo(NamedTuple):
    """A repository: `owner/name`, whether it is private, and its default branch."""

    name: str
    is_private: bool
    branch: str


class Owner(NamedTuple):
    """An account: its login, and whether it is an organisation."""

    login: str
    is_organisation: bool


def check_repo(text: str) -> str:
    """`owner/name`, or UsageError."""
    if not _REPO.fullmatch(text) or text.partition("/")[2] in (".", ".."):
        raise UsageError(f"{text[:80]!r} is not OWNER/NAME")
    return text


async def repo(github: GitHub, name: str) -> Repo:
    """One repository; GitHubMissing when there is none that the token may see."""
    return _repo(await github.get(f"/repos/{check_repo(name)}"))


async def owner(github: GitHub, login: str = "") -> Owner:
    """The account of a login, or that of the token."""
    given = await github.get(f"/users/{quote(login, safe='')}" if login else "/user")
    if not isinstance(given, dict) or not isinstance(given.get("login"), str):
        raise GitHubUnavailable("GitHub's answer about the account is not what it should be")
    return Owner(given["login"], given.get("type") == "Organization")


async def private_repos(github: GitHub, whose: Owner) -> list[Repo]:
    """The private repositories of an account that the token may see, by name."""
    if whose.is_organisation:
        path, params = f"/orgs/{whose.login}/repos", {"type": "private"}
    else:
        path, params = "/user/repos", {"visibility": "private", "affiliation": "owner"}
    found = [_repo(item) async for item in github.pages(path, params)]
    mine = [one for one in found if one.name.partition("/")[0].lower() == whose.login.lower()]
    return sorted(one for one in mine if one.is_private)


def _repo(given: object) -> Repo:
    if not isinstance(given, dict) or not isinstance(given.get("full_name"), str):
        raise GitHubUnavailable("GitHub's answer about a repository is not what it should be")
    return Repo(
        check_repo(given["full_name"]), given.get("private") is True, str(given.get("default_branch", "main"))
    )
