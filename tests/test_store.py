"""The step store: nothing stale, nothing half written, nothing computed twice."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest

from rabiomarkers import store as store_module
from rabiomarkers.errors import InputError, Problem, StoreError
from rabiomarkers.store import Job, Store, code_fingerprint

STEPS = """
from pathlib import Path
from {package} import helper

def double(inputs, out, *, times=1):
    (out / "value.txt").write_text(str(helper.FACTOR * times * int(inputs["number"].read_text())))
    return {{"times": times}}

def wrong(inputs, out):
    from rabiomarkers.errors import InputError, Problem
    raise InputError([Problem(file="a.csv", row=2, found="x", expected="y", remedy="z")])

def slow(inputs, out):
    import time
    (out / "first.txt").write_text("x")
    (Path(inputs["number"]).parent / "started").write_text("yes")
    time.sleep(60)
    return {{}}
"""


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """A package with a step that reaches a helper, and a module that nothing reaches."""
    name = f"labpkg_{abs(hash(request.node.name)) % 10**8}"
    folder = tmp_path / "code" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "helper.py").write_text("FACTOR = 2\n")
    (folder / "unrelated.py").write_text("FACTOR = 2\n")
    (folder / "steps.py").write_text(STEPS.format(package=name))
    monkeypatch.syspath_prepend(str(folder.parent))
    importlib.invalidate_caches()
    yield folder
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


@pytest.fixture
def number(tmp_path):
    path = tmp_path / "number.txt"
    path.write_text("21")
    return path


def step_of(package, name="double"):
    """The step as a new process would see it."""
    for module in [module for module in sys.modules if module.split(".")[0] == package.name]:
        del sys.modules[module]
    importlib.invalidate_caches()
    store_module.code_fingerprint.cache_clear()
    return getattr(importlib.import_module(f"{package.name}.steps"), name)


def job_of(package, number, **parameters):
    return Job(name="double", step=step_of(package), inputs={"number": number}, parameters=parameters)


def test_a_step_is_computed_once(package, number, tmp_path):
    first = Store(tmp_path / "store").run(job_of(package, number))
    again = Store(tmp_path / "store").run(job_of(package, number))
    assert (first.reused, again.reused) == (False, True)
    assert again.file("value.txt").read_text() == "42"
    assert (first.key, first.digests, first.info, first.seconds) == (
        again.key,
        again.digests,
        again.info,
        again.seconds,
    )


@pytest.mark.parametrize("change", ["input", "parameter", "step", "helper"])
def test_whatever_a_result_depends_on_changes_its_key(package, number, tmp_path, change):
    store = Store(tmp_path / "store")
    before = store.run(job_of(package, number))
    if change == "input":
        number.write_text("22")
    elif change == "step":
        (package / "steps.py").write_text((package / "steps.py").read_text() + "\n# edited\n")
    elif change == "helper":
        (package / "helper.py").write_text("FACTOR = 3\n")
    after = store.run(job_of(package, number, **({"times": 2} if change == "parameter" else {})))
    assert not after.reused
    assert after.key != before.key


def test_an_edit_that_the_step_does_not_reach_changes_nothing(package, number, tmp_path):
    store = Store(tmp_path / "store")
    store.run(job_of(package, number))
    (package / "unrelated.py").write_text("FACTOR = 3\n")
    assert store.run(job_of(package, number)).reused


def test_an_edit_undone_finds_the_old_result(package, number, tmp_path):
    store = Store(tmp_path / "store")
    store.run(job_of(package, number))
    (package / "helper.py").write_text("FACTOR = 3\n")
    store.run(job_of(package, number))
    (package / "helper.py").write_text("FACTOR = 2\n")
    assert store.run(job_of(package, number)).reused


def test_the_version_of_an_imported_library_is_part_of_the_key(monkeypatch, package, number, tmp_path):
    (package / "helper.py").write_text("import numpy\nFACTOR = 2\n")
    store = Store(tmp_path / "store")
    before = store.key(job_of(package, number))
    monkeypatch.setattr(store_module, "library_version", lambda name: f"{name} of tomorrow")
    assert store.key(job_of(package, number)) != before


def test_a_template_beside_a_reached_module_is_part_of_the_key(package, number, tmp_path):
    store = Store(tmp_path / "store")
    before = store.key(job_of(package, number))
    (package / "templates").mkdir()
    (package / "templates" / "page.html").write_text("<p>")
    assert store.key(job_of(package, number)) != before


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "manifest"])
def test_a_damaged_result_is_computed_again(package, number, tmp_path, damage):
    store = Store(tmp_path / "store")
    result = store.run(job_of(package, number))
    path = result.file("value.txt")
    if damage == "flip":
        path.write_text("43")
    elif damage == "truncate":
        path.write_text("")
    elif damage == "delete":
        path.unlink()
    else:
        (result.folder / "manifest.json").write_text("{")
    mended = store.run(job_of(package, number))
    assert not mended.reused
    assert mended.file("value.txt").read_text() == "42"


def test_a_step_that_fails_leaves_nothing_behind(package, number, tmp_path):
    store = Store(tmp_path / "store")
    number.write_text("not a number")
    with pytest.raises(ValueError, match="invalid literal"):
        store.run(job_of(package, number))
    assert not list((tmp_path / "store" / "steps").iterdir())
    assert not list((tmp_path / "store" / "partial").iterdir())


def test_a_killed_writer_leaves_no_result_and_the_next_run_completes(package, number, tmp_path):
    code = f"""
import sys; sys.path.insert(0, {str(package.parent)!r})
from pathlib import Path
from rabiomarkers.store import Job, Store
from {package.name}.steps import slow
Store(Path({str(tmp_path / "store")!r})).run(Job(name="slow", step=slow, inputs={{"number": Path({str(number)!r})}}))
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    while not (tmp_path / "started").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not list((tmp_path / "store" / "steps").iterdir())
    assert Store(tmp_path / "store").run(job_of(package, number)).file("value.txt").read_text() == "42"


def test_two_processes_compute_a_step_once(package, number, tmp_path):
    (package / "steps.py").write_text(
        STEPS.format(package=package.name)
        + "\ndef counted(inputs, out):\n    import time\n    time.sleep(0.5)\n"
        + "    (out / 'done.txt').write_text('x')\n    with (inputs['number'].parent / 'log').open('a') as log:\n"
        + "        log.write('computed ')\n    return {}\n"
    )
    code = f"""
import sys; sys.path.insert(0, {str(package.parent)!r})
from pathlib import Path
from rabiomarkers.store import Job, Store
from {package.name}.steps import counted
Store(Path({str(tmp_path / "store")!r})).run(Job(name="slow", step=counted, inputs={{"number": Path({str(number)!r})}}))
"""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert (tmp_path / "log").read_text() == "computed "


def test_jobs_in_processes_give_what_jobs_in_a_row_give(package, number, tmp_path):
    first = job_of(package, number, times=1)
    jobs = [first, replace(first, parameters={"times": 2}), replace(first, parameters={"times": 3})]
    alone = list(Store(tmp_path / "alone").run_many(jobs))
    environment = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(package.parent), environment])
    try:
        store = Store(tmp_path / "together", workers=2)
        store.run(jobs[1])
        together = list(store.run_many(jobs))
        assert all(result.reused for result in store.run_many(jobs))
    finally:
        os.environ["PYTHONPATH"] = environment
        store.close()
    assert [result.key for result in together] == [result.key for result in alone]
    assert [result.digests for result in together] == [result.digests for result in alone]
    assert [result.reused for result in together] == [False, True, False]


def test_the_input_problems_of_all_jobs_are_collected(package, number, tmp_path):
    wrong = Job(name="wrong", step=step_of(package, "wrong"), inputs={"number": number})
    good = Job(name="double", step=importlib.import_module(f"{package.name}.steps").double, inputs={"number": number})
    problems: list[Problem] = []
    results = list(Store(tmp_path / "s").run_many([wrong, good, wrong], on_input_error=problems.extend))
    assert [result.name for result in results] == ["double"]
    assert [str(problem) for problem in problems] == ["a.csv:2: x; y; z"] * 2
    with pytest.raises(InputError, match=r"a\.csv:2: x; y; z"):
        list(Store(tmp_path / "s").run_many([wrong]))


def test_an_absent_input_is_named(package, tmp_path):
    with pytest.raises(StoreError, match=r"'double' needs files that are not there: number \(gone.txt\)"):
        Store(tmp_path / "store").run(job_of(package, tmp_path / "gone.txt"))


def test_parameters_must_be_plain(package, number, tmp_path):
    with pytest.raises(StoreError, match="must be plain JSON"):
        Store(tmp_path / "store").run(job_of(package, number, times={1, 2}))


def test_a_file_that_the_step_did_not_write_is_named(package, number, tmp_path):
    result = Store(tmp_path / "store").run(job_of(package, number))
    with pytest.raises(StoreError, match=r"wrote no 'other.txt', only value.txt"):
        result.file("other.txt")


def test_a_folder_is_an_input_by_its_names_and_contents(package, number, tmp_path):
    matrix = tmp_path / "matrix"
    matrix.mkdir()
    (matrix / "a.tsv").write_text("1")
    job = Job(name="double", step=step_of(package), inputs={"number": number, "matrix": matrix})
    store = Store(tmp_path / "store")
    before = store.key(job)
    (matrix / "a.tsv").rename(matrix / "b.tsv")
    assert store.key(job) != before


def test_a_table_is_laid_down_under_its_content(tmp_path):
    store = Store(tmp_path / "store")
    frame = pd.DataFrame({"patient_id": ["P1"], "value": [1.0]})
    assert store.put_table(frame) == store.put_table(frame.copy())
    assert store.put_table(frame) != store.put_table(frame.assign(value=2.0))


def test_every_module_of_ours_that_a_step_reaches_is_in_its_fingerprint():
    _, libraries = code_fingerprint("rabiomarkers.store")
    assert {"pandas"} <= set(libraries)
    assert not {"os", "json", "rabiomarkers"} & set(libraries)


def test_a_rewritten_but_equal_source_recomputes_nothing(package, number, tmp_path):
    store = Store(tmp_path / "store")
    store.run(job_of(package, number))
    (package / "steps.py").write_text((package / "steps.py").read_text())  # same content, new time
    result = store.run(job_of(package, number))
    assert result.reused
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["files"].keys() == {"value.txt"}
