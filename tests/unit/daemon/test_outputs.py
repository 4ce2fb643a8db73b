from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.daemon.api.outputs import _listed

NAMES = st.text(alphabet="ab-._", min_size=1, max_size=3).filter(lambda name: not name.startswith("."))


@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=12), st.integers(1, 4))
def test_pages_together_have_each_file_once_in_the_order_of_the_paths(names: set[str], size: int) -> None:
    with tempfile.TemporaryDirectory() as given_folder:
        folder, made = Path(given_folder), set[str]()
        for name in sorted(names):
            path = folder / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(name)
            except OSError:
                continue  # another name has a file where this one has a folder
            made.add(name)
        found: list[str] = []
        while page := _listed(folder, found[-1] if found else "", size):
            assert all(view.size == len(view.path) for view in page)
            found += [view.path for view in page]
        assert found == sorted(made)


def test_links_unfinished_files_and_a_folder_that_is_not_there_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/out").write_text("x")
    (tmp_path / "t/.part").write_text("x")
    (tmp_path / "t/link").symlink_to("/etc/passwd")
    (tmp_path / "away").symlink_to("/etc")
    assert [view.path for view in _listed(tmp_path, "", 10)] == ["t/out"]
    assert _listed(tmp_path / "nowhere", "", 10) == []
