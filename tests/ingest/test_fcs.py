"""FCS files: every kind of number, amplification and text gives the same events; every fault is told in words, never a crash."""

import io
import re

import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.fcs import canonical, kind_of, read_fcs
from rabiomarkers.ingest.findings import Findings
from tests.support.fcs_files import CHANNELS, fcs, uniform

WHOLE = np.random.default_rng(3).integers(0, 1024, (50, 5))


@pytest.fixture
def write(tmp_path):
    def writer(content, name="a.fcs"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return writer


def opened(path):
    return read_fcs(path, Findings(path.name))


def faults(path):
    with pytest.raises(InputError) as error:
        opened(path)
    return [str(problem) for problem in error.value.problems]


# ---- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1"])
@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize(
    ("kind", "bits"), [("F", 32), ("D", 64), ("I", 16), ("I", 32), ("I", (16, 16, 32, 8, 32))], ids=str
)
def test_the_same_events_are_read_of_every_kind_of_number(write, version, little, kind, bits):
    events = WHOLE % 200
    content = fcs(events, version=version, kind=kind, bits=bits, little=little, P4R=256)
    read = opened(write(content))
    assert read.events.dtype == np.float32
    np.testing.assert_array_equal(read.events, events)


def test_bits_beyond_the_range_of_whole_numbers_are_taken_off(write):
    stray = WHOLE + 4096  # a bit that instruments leave there; range 1000 needs ten bits, as 1024 does
    read = opened(write(fcs(stray, kind="I", P1R=1000, P2R=65536)))
    np.testing.assert_array_equal(read.events[:, [0, 2, 3, 4]], WHOLE[:, [0, 2, 3, 4]])
    np.testing.assert_array_equal(read.events[:, 1], stray[:, 1])


def test_logarithmic_channels_become_linear_as_the_standard_says(write):
    read = opened(write(fcs(WHOLE, kind="I", P3E="4,1", P4E="4,0", P5E="3.0,0.1")))
    np.testing.assert_allclose(read.events[:, 2], 10 ** (WHOLE[:, 2] / 256), rtol=1e-6)  # four decades of 1024
    np.testing.assert_allclose(read.events[:, 3], 10 ** (WHOLE[:, 3] / 256), rtol=1e-6)  # 0 for 1: a common fault
    np.testing.assert_allclose(read.events[:, 4], 0.1 * 10 ** (3 * WHOLE[:, 4] / 1024), rtol=1e-6)
    assert [channel.top for channel in read.channels] == pytest.approx([1024, 1024, 1e4, 1e4, 100])


def test_gain_and_time_step_are_taken_out(write):
    events = uniform()
    read = opened(write(fcs(events, P3G="2", P5G="8", TIMESTEP="0.01")))
    np.testing.assert_allclose(read.events[:, 2], events[:, 2] / 2, rtol=1e-6)
    np.testing.assert_allclose(read.events[:, 4], events[:, 4] * 0.01, rtol=1e-6)  # a gain of time means nothing
    assert (read.channels[2].top, read.channels[4].top) == pytest.approx((131_072, 2_621.44))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda width: st.lists(
            st.lists(st.floats(-1e6, 1e6, width=32), min_size=width, max_size=width), min_size=1, max_size=8
        )
    ),
    st.booleans(),
    st.sampled_from("FD"),
)
def test_whatever_was_written_is_read(write, rows, little, kind):
    names = [f"C{at}" for at in range(len(rows[0]))]
    content = fcs(np.array(rows), names, names, kind=kind, little=little)
    np.testing.assert_array_equal(opened(write(content)).events, np.array(rows, np.float32))


def test_a_file_of_the_library_itself_is_read(write):
    handle, events = io.BytesIO(), uniform().astype(np.float32)
    flowio.create_fcs(handle, events.ravel().tolist(), list(CHANNELS))
    np.testing.assert_array_equal(opened(write(handle.getvalue())).events, events)


# ---- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("divider", ["/", "|", "\\", "*", "!", ".", "^", "+", "(", "[", "?", "\x0c", "\x1e", "~"])
def test_any_character_may_divide_the_keywords(write, divider):
    content = fcs(uniform(), divider=divider, TIMESTEP="1")
    assert [channel.detector for channel in opened(write(content)).channels] == list(CHANNELS)


def test_a_doubled_divider_stands_for_itself(write):
    content = fcs(labels=("", "", "CD3//CD5", "CD279", ""))
    assert opened(write(content)).channels[2].label == "CD3/CD5"


def test_empty_values_which_the_standard_forbids_are_read_as_such(write):
    content = fcs(P3S="", P3V="", OP="", P4S="CD279")
    channels = opened(write(content)).channels
    assert [channel.label for channel in channels] == ["", "", "", "CD279", ""]


def test_text_of_any_code_page_is_read(write):
    content = fcs(labels=("", "", "CD3", "TCR Vα7.2", ""), OP="Müller")
    assert opened(write(content)).channels[3].label == "TCR Vα7.2"
    latin = fcs(labels=("", "", "CD3", "µ", ""), OP="Müller", encoding="latin-1")
    assert opened(write(latin)).channels[3].label == "µ"


def test_keywords_of_the_second_segment_are_read(write):
    content = fcs(BEGINSTEXT=3_000, ENDSTEXT=3_040)
    segment = b"/$SPILLOVER/2,B515-A,Y586-A,1,0.1,0,1/".ljust(41)
    content = content[:3_000] + segment + content[3_041:]
    assert opened(write(content)).spillover == "2,B515-A,Y586-A,1,0.1,0,1"


def test_a_keyword_with_a_dollar_goes_before_one_without(write):
    content = fcs(MODE="L/TOT/7")  # a keyword of the instrument that is called like the standard's
    assert len(opened(write(content)).events) == 50


def test_a_last_byte_that_is_told_one_too_far_is_set_right(write):
    content = fcs(places=(0, 1))
    end = int(re.search(rb"ENDDATA/(\d+)/", content)[1])
    content = content.replace(b"ENDDATA/%d" % end, b"ENDDATA/%d" % (end + 1))
    np.testing.assert_array_equal(opened(write(content)).events, opened(write(fcs())).events)


def test_of_two_places_the_one_with_room_for_the_events_is_believed(write):
    expected = opened(write(fcs())).events
    np.testing.assert_array_equal(opened(write(fcs(places=(0, 400)))).events, expected)
    np.testing.assert_array_equal(opened(write(fcs(BEGINDATA=0, ENDDATA=0))).events, expected)


def test_events_are_counted_where_fcs_2_does_not_tell_their_number(write):
    assert len(opened(write(fcs(version="FCS2.0", without=("TOT", "BEGINDATA", "ENDDATA")))).events) == 50


def test_names_of_people_in_the_text_reach_nothing_that_is_read(write):
    read = opened(write(fcs(OP="Dr Secret", SRC="Jane Patient", SMNO="Jane")))
    assert "Secret" not in repr(read)
    assert "Jane" not in repr(read)


# ---- names of channels -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name", "kind"),
    [
        ("fsc_a", "FSC-A", "scatter"),
        ("FSC", "FSC-A", "scatter"),
        ("SSC-H", "SSC-H", "scatter"),
        ("FSC-Width", "FSC-W", "scatter"),
        ("FS INT LIN", "FSC-A", "scatter"),
        ("SS-A", "SSC-A", "scatter"),
        ("SSC-B-A", "SSC-B-A", "scatter"),
        ("VSSC-A", "VSSC-A", "scatter"),
        ("SSC (Violet)-A", "SSC (Violet)-A", "scatter"),
        ("TIME", "Time", "time"),
        ("HDR-T", "Time", "time"),
        ("Event_length", "Event_length", "none"),
        ("FSCN1", "FSCN1", "signal"),
        ("SSEA-4", "SSEA-4", "signal"),
        ("B515-A", "B515-A", "signal"),
    ],
)
def test_scatter_and_time_have_one_name_and_nothing_else_is_taken_for_them(written, name, kind):
    assert (canonical(written), kind_of(written)) == (name, kind)


# ---- what can be wrong -----------------------------------------------------------------------------------------------

FAULTS = {
    "empty": (b"", "an empty file"),
    "gzip": (b"\x1f\x8b\x08abc", "a compressed file"),
    "zip": (b"PK\x03\x04", "no FCS file"),
    "version": (b"FCS4.9" + b" " * 60, "version FCS4.9"),
    "first line": (b"FCS3.1   ", "cut off within its first line"),
    "no places": (b"FCS3.1    " + b"x" * 200, "does not say where the text lies"),
    "text cut": (fcs()[:300], "cut off within its text"),
    "events cut": (fcs()[:-400], "30 of 50 events: the file ends before they do"),
    "TOT": (fcs(TOT=77), "room for 50 events of 5 channels, where the file promises 77"),
    "TOT no number": (fcs(TOT="many"), r"a number of events \(\$TOT\) that is none"),
    "PAR less": (fcs(PAR=4), r"names of channels beyond the 4 of \$PAR: \$P5N"),
    "PAR more": (fcs(PAR=7), r"channels without a name: \$P6N, \$P7N"),
    "PAR no number": (fcs(PAR="x"), r"a number of channels \(\$PAR\) that makes no sense"),
    "PAR absent": (fcs(without=("PAR", "DATATYPE")), r"a text without \$PAR, \$DATATYPE"),
    "no events": (fcs(np.zeros((0, 5))), "no events"),
    "name absent": (fcs(without=("P3N",)), r"channels without a name: \$P3N"),
    "name twice": (fcs(channels=("A", "B", "C", "B", "D")), "two channels of one name: B"),
    "nan": (fcs(np.full((20, 5), np.nan)), "20 events without a number"),
    "infinite": (fcs(np.full((20, 5), 1e300), kind="D"), "20 events without a number"),
    "histogram": (fcs(MODE="C"), "not in list mode"),
    "text as events": (fcs(DATATYPE="A"), "neither whole nor decimal"),
    "order of bytes": (fcs(BYTEORD="3,4,1,2"), "an unknown order of bytes"),
    "data sets": (fcs(NEXTDATA=9_000), "several data sets in one file"),
    "widths": (fcs(WHOLE, kind="I", P2B=10), r"unusual widths of numbers: \$P2B"),
    "log of decimals": (fcs(P3E="4,1"), r"decimal numbers said to be logarithmic \(\$P3E\)"),
    "amplification": (fcs(P3E="four"), r"an amplification that is none \(\$P3E\)"),
    "gain": (fcs(P3G="-2"), r"a gain that makes no sense \(\$P3G\)"),
    "range": (fcs(WHOLE, kind="I", P3R="0"), r"a range that is none \(\$P3R\)"),
    "time step": (fcs(TIMESTEP="soon"), r"a time step that is no number"),
    "two places": (fcs(places=(-400, -400)), "two places that it says its events lie"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_told_in_words(write, fault):
    content, found = FAULTS[fault]
    told = faults(write(content))
    assert len(told) == 1
    assert re.search(found, told[0]), told


def test_all_that_is_wrong_with_the_text_is_told_at_once(write):
    told = faults(write(fcs(NEXTDATA=9_000, BYTEORD="1,3", P2G="x", P3E="4,1", without=("P4N", "P5R"))))
    assert len(told) == 6


def test_no_file_and_a_folder_are_told(tmp_path):
    assert "no such file" in faults(tmp_path / "none.fcs")[0]
    assert "no such file" in faults(tmp_path)[0]


def test_a_file_cut_anywhere_is_told(write):
    whole = fcs()
    for length in range(0, len(whole) - 1, 61):
        assert faults(write(whole[:length]))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 750), st.one_of(st.integers(0, 255), st.sampled_from(list(b"0123456789/$,PNRS")))),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["F", "D", "I"]),
)
def test_a_file_of_damaged_text_is_read_or_told_and_never_a_crash(write, damages, kind):
    content = bytearray(fcs(WHOLE, kind=kind, SPILLOVER="2,B515-A,Y586-A,1,0.1,0,1", OP="Jane Patient"))
    for at, byte in damages:
        content[at] = byte
    read, problems = outcome(write(bytes(content)))
    assert (read is None) == bool(problems)
    assert "Jane" not in problems
    if read is not None:
        assert read.events.shape[1] == len(read.channels)
        assert np.isfinite(read.events).all()


def outcome(path):
    """The file, or None and its problems in one text."""
    try:
        return opened(path), ""
    except InputError as error:
        return None, str(error)


def test_reading_notes_problems_in_the_findings_it_was_given(write):
    findings = Findings("a.fcs")
    with pytest.raises(InputError):
        read_fcs(write(b"nothing"), findings)
    assert findings.problems
