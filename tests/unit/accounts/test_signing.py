"""Addresses are signed by the account's key for a policy, or by a lent one for as long as it lasts."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs

import pytest
from azure.storage.blob import UserDelegationKey
from azure.storage.blob._shared_access_signature import BlobSharedAccessSignature
from azure.storage.blob.aio import BlobServiceClient
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts.access import Access
from orchestrator.accounts.signing import SAS_VERSION, ReadTemplate, SasSigner
from orchestrator.errors import ConfigError
from orchestrator.limits import Limits
from orchestrator.spec.secret import SecretText

_KEY = SecretText("a2V5IG9mIHRoZSB0ZXN0cw==")


class Lender:
    """The part of a storage account that lends keys."""

    def __init__(self, url: str = "https://acc.blob.core.windows.net/") -> None:
        self.url = url
        self.lent: list[tuple[datetime, datetime]] = []

    async def get_user_delegation_key(
        self, *, key_start_time: datetime, key_expiry_time: datetime
    ) -> UserDelegationKey:
        self.lent.append((key_start_time, key_expiry_time))
        key: Any = cast("Any", UserDelegationKey)()
        key.signed_oid, key.signed_tid, key.signed_service, key.signed_version = "oid", "tid", "b", "v"
        key.signed_start, key.signed_expiry = key_start_time.isoformat(), key_expiry_time.isoformat()
        key.value = _KEY.reveal()
        return cast("UserDelegationKey", key)


def signer(lender: Lender, key: SecretText | None = None) -> SasSigner:
    service = cast("BlobServiceClient", lender)
    return SasSigner(service, account="acc", key=key, limits=Limits(), rng=random.Random(0))


def terms(query: SecretText) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query.reveal()).items()}


def later(**ahead: float) -> datetime:
    return datetime.now(UTC) + timedelta(**ahead)


async def test_a_lent_key_is_used_again_while_it_lasts() -> None:
    lender = Lender()
    signing = signer(lender)
    first = terms(await signing.read_blob("c", "b", until=later(hours=1)))
    second = terms(await signing.write_container("c", until=later(days=6)))
    assert len(lender.lent) == 1
    assert (first["skoid"], first["sp"], first["sr"]) == ("oid", "r", "b")
    assert (second["skoid"], second["sp"], second["sr"]) == ("oid", "cw", "c")


async def test_a_key_is_asked_for_within_the_services_week() -> None:
    lender = Lender()
    await signer(lender).read_blob("c", "b", until=later(hours=1))
    ((start, expiry),) = lender.lent
    assert start < datetime.now(UTC)
    assert later(days=6) < expiry < later(days=7)


async def test_a_signature_beyond_the_week_is_refused_with_the_remedy() -> None:
    lender = Lender()
    with pytest.raises(ConfigError, match="max_wall_clock_time"):
        await signer(lender).read_blob("c", "b", until=later(days=8))
    assert lender.lent == []


async def test_the_default_lifetime_of_a_pools_signature_fits() -> None:
    until = later(seconds=Limits().pool_sas_lifetime)
    assert terms(await signer(Lender()).read_blob("c", "b", until=until))["se"]


async def test_an_account_key_signs_for_a_policy_which_alone_says_what_is_open_and_until_when() -> None:
    lender = Lender()
    signing = signer(lender, _KEY)
    read = terms(await signing.read_blob("c", "b", until=later(days=300)))
    write = terms(await signing.write_container("c", until=later(days=300)))
    assert read.pop("sig")
    assert read == {"si": "orchestrator-read", "sr": "b", "sv": SAS_VERSION, "spr": "https"}
    assert (write["si"], write["sr"]) == ("orchestrator-write", "c")
    assert {*write} & {"st", "se", "sp", "skoid"} == set()
    assert lender.lent == []


async def test_an_account_key_signs_the_same_address_again_which_can_be_compared() -> None:
    first = await signer(Lender(), _KEY).read_blob("c", "b", until=later(hours=1))
    again = await signer(Lender(), _KEY).read_blob("c", "b", until=later(hours=9))
    assert first == again


async def test_only_addresses_signed_by_a_lent_key_have_an_end_that_nobody_can_move() -> None:
    assert signer(Lender(), _KEY).longest is None
    week = signer(Lender()).longest
    assert week is not None
    assert timedelta(days=6, hours=23) < week < timedelta(days=7)


async def test_a_policy_is_signed_for_with_the_accounts_key_only() -> None:
    with pytest.raises(ConfigError, match="account's key"):
        signer(Lender()).policy("c", Access.READ)


@pytest.mark.parametrize(
    ("url", "protocol"),
    [("https://acc.blob.core.windows.net/", "https"), ("http://127.0.0.1:10000/acc", None)],
)
async def test_only_a_secure_account_demands_secure_use(url: str, protocol: str | None) -> None:
    signed = terms(await signer(Lender(url), _KEY).write_container("c", until=later(hours=1)))
    assert signed.get("spr") == protocol


@given(
    blob=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
        lambda name: name[0] != "/"
    ),
    container=st.sampled_from(["c", "in-3f9a0c", "$root"]),
    policy=st.sampled_from(["orchestrator-read", "read & write"]),
    secure=st.booleans(),
)
def test_a_signature_made_here_is_the_one_that_the_sdk_makes(
    blob: str, container: str, policy: str, secure: bool
) -> None:
    sdk: Any = BlobSharedAccessSignature("acc", _KEY.reveal())
    sdk.x_ms_version = SAS_VERSION
    expected = sdk.generate_blob(container, blob, policy_id=policy, protocol="https" if secure else None)
    template = ReadTemplate(
        account="acc", key=_KEY.reveal(), container=container, policy=policy, secure=secure
    )
    assert template.query(blob) == expected


async def test_many_containers_are_signed_for_each_for_itself() -> None:
    signing = signer(Lender(), _KEY)
    until = later(hours=1)
    first = await signing.read_blob("c", "b", until=until)
    others = {(await signing.read_blob(f"c{number}", "b", until=until)).reveal() for number in range(200)}
    assert len(others | {first.reveal()}) == 201
    assert await signing.read_blob("c", "b", until=until) == first


async def test_a_containers_signature_says_what_it_is_for() -> None:
    signed = terms(await signer(Lender(), _KEY).container("c", permissions="rcw", until=later(hours=1)))
    assert (signed["sp"], signed["sr"]) == ("rcw", "c")
