"""Open GitHub as the configuration says: address, token, and what was answered before."""

from __future__ import annotations

from collections.abc import Mapping

from relayq.config import Config
from relayq.errors import GitHubDenied
from relayq.github.api import HOW_TO_LOG_IN, GitHub, Manners
from relayq.github.etags import Etags
from relayq.github.token import Token, find_token


def token_of(config: Config, environ: Mapping[str, str]) -> Token | None:
    """The configured token, None when `auto` finds none."""
    named, api = config.values["github.token"], config.values["github.api"]
    return find_token(str(named), environ, config.config_dir, str(api))


def open_github(config: Config, environ: Mapping[str, str], manners: Manners | None = None) -> GitHub:
    """A connection to be entered; GitHubDenied when there is no token."""
    token = token_of(config, environ)
    if token is None:
        raise GitHubDenied(f"there is no GitHub token here: {HOW_TO_LOG_IN}")
    etags = Etags(config.cache_dir / "github", token.mark)
    return GitHub(str(config.values["github.api"]), token, etags=etags, manners=manners)
