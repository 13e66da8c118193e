"""Strategies that people have drawn: names, paths, and files that must not be trusted."""

import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.features.gating.strategies import check_strategy

HEAD = '<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"/>'


@pytest.fixture
def write(tmp_path):
    def writer(text, name="gates.xml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return writer


def test_a_file_that_could_read_others_is_refused(write, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("patient")
    told = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><a>&x;</a>'
    with pytest.raises(InputError, match="declares a document type or entities") as error:
        check_strategy(write(told))
    assert "patient" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("<a><b></a>", "gates.xml", "no XML, or not all of it"),
        ("<html/>", "gates.xml", "XML of the kind html"),
        (HEAD, "gates.wsp", "XML of the kind Gating-ML"),
        ("", "gates.wsp", "no XML"),
    ],
)
def test_what_is_no_strategy_is_told(write, text, name, found):
    with pytest.raises(InputError, match=found):
        check_strategy(write(text, name))


def test_a_file_of_the_right_kind_passes(write):
    check_strategy(write(HEAD))
