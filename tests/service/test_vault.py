"""The key to what is stored encrypted, where the operator gave none: a file beside the database."""

import errno
import os
import stat
from pathlib import Path

import pytest

from app.domain.errors import CorruptState, StorageFull, StoreBusy, Unavailable
from app.service import vault as vault_module
from app.service.vault import Vault, new_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the key will be."""
    return tmp_path / "tunetrack.db-key"


def test_a_key_is_made_when_it_is_needed_and_opens_what_it_sealed_after_a_restart(file: Path) -> None:
    sealed = Vault(file=file).seal("a secret")
    assert Vault(file=file).open(sealed) == "a secret"
    assert [found.name for found in file.parent.iterdir()] == [file.name]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_whoever_was_quicker_made_the_key_that_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quicker = new_key()

    def late_key() -> str:
        file.write_text(quicker + "\n")
        return new_key()

    monkeypatch.setattr(vault_module, "new_key", late_key)
    assert Vault([quicker]).open(Vault(file=file).seal("a secret")) == "a secret"
    assert file.read_text() == quicker + "\n"


@pytest.mark.parametrize(("number", "meaning"), [(errno.ENOSPC, StorageFull), (errno.EROFS, StoreBusy)])
def test_a_key_that_cannot_be_written_is_not_there_and_no_failure_of_the_service(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int, meaning: type[Unavailable]
) -> None:
    def refuse() -> str:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as refusing:
        refusing.setattr(vault_module, "new_key", refuse)
        with pytest.raises(meaning):
            Vault(file=file).seal("a secret")
    assert not list(file.parent.iterdir())
    assert Vault(file=file).seal("a secret")


@pytest.mark.parametrize("content", [b"", b"\n", b"bm8ga2V5IGF0IGFs", b"\xff\xfe"])
def test_of_a_file_that_holds_no_key_it_is_said_what_to_do(file: Path, content: bytes) -> None:
    sealed = Vault([new_key()]).seal("a secret")
    file.write_bytes(content)
    for use in (lambda: Vault(file=file).seal("x"), lambda: Vault(file=file).open(sealed), Vault(file=file).check):
        with pytest.raises(CorruptState, match=r"tunetrack\.db-key .* is empty or damaged, .* from a backup"):
            use()
    assert file.read_bytes() == content


def test_that_there_is_no_key_yet_is_no_damage(file: Path) -> None:
    Vault(file=file).check()
    assert not file.exists()
