"""The audience of an identity token that signs a job: these letters and the SHA-256 of what is signed."""

AUDIENCE = "relayq:sha256:"


def signer_of(repository_id: str) -> str:
    """What stands in a signed body in place of a key's id."""
    return f"oidc:{repository_id}"
