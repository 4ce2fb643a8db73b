"""Installing the blob server: from checksums, without naming a registry, whole or not at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from orchestrator.local.blob import install

PACKAGE = Path(install.__file__).parent / "azurite"


def test_every_package_has_a_checksum_and_no_registry_is_named() -> None:
    lock = json.loads((PACKAGE / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name not in {"", "stub"}}
    assert len(packages) > 100
    for name, package in packages.items():
        if package.get("link"):
            assert package["resolved"] == "stub", name
        else:
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, name


def test_it_is_installed_once_and_found_again() -> None:
    first = install.ensure_azurite()
    modified = first.script.stat().st_mtime_ns
    again = install.ensure_azurite()
    assert again == first
    assert again.script.stat().st_mtime_ns == modified
    assert again.script.is_relative_to(install.place())


def test_its_place_is_in_the_virtual_environment_when_there_is_one() -> None:
    assert install.place().is_relative_to(sys.prefix) is (sys.prefix != sys.base_prefix)
    assert install.place().name.startswith("azurite-")


def test_nothing_of_a_broken_installation_is_left_beside_it() -> None:
    install.ensure_azurite()
    assert not list(install.place().parent.glob("*.part-*"))


def test_node_is_new_enough() -> None:
    node = install.find_node()
    assert node.program.is_file()
    assert node.npm.is_file()


def test_a_missing_node_names_its_remedy() -> None:
    assert "pip install 'orchestrator[local]'" in str(install.NodeMissingError())
