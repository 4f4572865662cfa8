"""The surroundings of sources and journals: secrets from the environment and from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Surroundings


def test_files_of_secrets_are_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    surroundings = Surroundings(None, tmp_path)
    assert surroundings.reveal("access.admin[0]", Secret(file="token")) == "secret"


def test_a_missing_secret_is_reported_with_its_key_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NONE", raising=False)
    for secret in (Secret(env="NONE"), Secret(file="none")):
        with pytest.raises(ConfigError) as error:
            Surroundings(None, tmp_path).reveal("access.admin[0]", secret)
        [line] = error.value.problems
        assert line.startswith("access.admin[0]: ")
        assert "none" in line.lower()


def test_programs_get_no_secret_that_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TOKEN", "PASSWORD", "PLAIN"):
        monkeypatch.setenv(name, "x")
    here = Surroundings(None, tmp_path, secrets=frozenset(("TOKEN", "PASSWORD", "UNSET")))
    found = here.environment(["PASSWORD", "PLAIN", "UNSET"])
    assert {"TOKEN", "PASSWORD", "PLAIN", "UNSET"} & set(found) == {"PASSWORD", "PLAIN"}
    assert {"PATH", "HOME"} <= set(found)
