"""Every file that the settings may name has a reader that tells what is wrong with it."""

import pytest

from rabiomarkers.sample_files import NAMED_FILE_READERS, named_file_problems
from rabiomarkers.settings.measures import NAMED_FILES
from rabiomarkers.settings.study import StudySettings


def test_every_named_file_has_a_reader_and_a_place_in_the_settings():
    assert set(NAMED_FILE_READERS) == set(NAMED_FILES)
    settings = StudySettings(name="a")
    assert all(getattr(getattr(settings, part), key) is None for key, part in NAMED_FILES.items())


@pytest.mark.parametrize("key", sorted(NAMED_FILES))
def test_what_is_no_such_file_is_told(key, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\x00\x01 nothing of the kind")
    (first, *_) = named_file_problems({key: path})
    assert first.file == "file"
