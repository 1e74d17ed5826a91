"""What a person may get wrong with any of the examples ends in one sentence."""

import pytest

from scg import experiment

TASKS = {"vae": "VaeTask", "dlgm": "DlgmTask", "iwae": "IwaeTask", "dropout": "Dropout"}


@pytest.mark.parametrize("name", TASKS)
def test_fewer_images_than_a_batch(name, request, tmp_path, capsys):
    task = getattr(request.getfixturevalue(name), TASKS[name])
    with pytest.raises(SystemExit) as end:
        experiment.run(task, ["--smoke", "--batch-size", "5000", "--out", str(tmp_path)])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{name}.py: error: batch_size is 5000 with 1500 examples")
    assert error.endswith("give at most 1500\n") and error.count("\n") == 1
