from __future__ import annotations

from orchestrator.spec import SecretText


def test_a_secret_text_shows_itself_nowhere() -> None:
    secret = SecretText("value")
    assert "value" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "value"


def test_secret_texts_compare_by_value() -> None:
    assert SecretText("a") == SecretText("a") != SecretText("b")
    assert len({SecretText("a"), SecretText("a")}) == 1
