"""What is read from files that are not quite as the export wrote them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.importing.own_files import OwnFiles
from app.importing.steps import Bad, CannotImport, Log, Remark, Start, Step

RUN = "019ab1c2-5f77-7c88-8d99-e0f1a2b3c4d5"
EPOCH = json.dumps({"run_id": RUN, "epoch": 3, "metrics": {"loss": 0.5}})


def read(path: Path, text: str) -> list[Step]:
    """The steps of a file of this text."""
    path.write_bytes(text.encode())
    return list(OwnFiles([path]).steps())


@pytest.mark.parametrize(
    "text",
    [
        f"{EPOCH}\n",
        f"\n \n{EPOCH}\n",
        f'{{"run_id": "cut o\n{EPOCH}\n',
        f"run_id,epoch,metrics.loss\r\n{RUN},3,0.5\r\n",
        f"\r\nrun_id,epoch,metrics.loss\r\n\r\n{RUN},3,0.5\r\n",
        f'run_id,"metrics.a\nb",epoch,metrics.loss\r\n{RUN},,3,0.5\r\n',
        f"\ufeffrun_id,epoch,metrics.loss\n{RUN},3,0.5\n",
    ],
)
def test_epochs_are_known_as_such_whatever_stands_before_the_first(tmp_path: Path, text: str) -> None:
    (log,) = [step for step in read(tmp_path / "epochs", text) if not isinstance(step, Bad)]
    assert isinstance(log, Log)
    assert [(body["epoch"], body["metrics"]) for _, body in log.epochs] == [(3, {"loss": 0.5})]


def test_a_csv_whose_last_number_may_have_lost_digits_comes_in_and_is_told(tmp_path: Path) -> None:
    text = f"run_id,epoch,metrics.loss\r\n{RUN},3,0.52"
    remark, log = read(tmp_path / "epochs.csv", text)
    assert isinstance(remark, Remark)
    assert isinstance(log, Log)
    assert remark.place == "epochs.csv"
    assert [type(step) for step in read(tmp_path / "epochs.csv", text + "\r\n")] == [Log]
    assert [type(step) for step in read(tmp_path / "epochs.ndjson", EPOCH)] == [Log]


def test_an_epoch_among_runs_starts_no_run(tmp_path: Path) -> None:
    start, bad = read(tmp_path / "all.ndjson", json.dumps({"run_id": RUN, "name": "one"}) + "\n" + EPOCH)
    assert isinstance(start, Start)
    assert isinstance(bad, Bad)
    assert (bad.place, bad.reason[:15]) == ("all.ndjson line 2", "this is an epoc")


def test_a_quote_that_never_ends_is_told_with_what_it_swallows(tmp_path: Path) -> None:
    start, bad = read(tmp_path / "runs.csv", f'run_id,name\r\n{RUN},a\r\n{RUN},"b\r\n{RUN},c\r\n{RUN},d\r\n')
    assert isinstance(start, Start)
    assert isinstance(bad, Bad)
    assert bad.place == "runs.csv line 3"
    assert bad.reason.endswith("and 2 lines after it")


@pytest.mark.parametrize("status", [[], {}, 1, "running"])
def test_a_status_that_is_no_end_ends_nothing(tmp_path: Path, status: Any) -> None:
    (start,) = read(tmp_path / "runs.ndjson", json.dumps({"run_id": RUN, "status": status}))
    assert isinstance(start, Start)


def test_what_can_be_read_but_once_is_refused_before_anything_is_lost() -> None:
    reader, writer = os.pipe()
    os.write(writer, EPOCH.encode())
    os.close(writer)
    try:
        with pytest.raises(CannotImport, match="is not a regular file"):
            OwnFiles([Path(f"/dev/fd/{reader}")])
    finally:
        os.close(reader)
