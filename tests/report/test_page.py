import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

import pytest

from rabiomarkers.errors import ResultsError
from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.page import render, report_step, write_report
from rabiomarkers.report.tables_of_models import _reasons
from rabiomarkers.results import open_results
from tests.support.synthetic_results import INJECTION, Invented, make_results

LOADING = {"src", "href", "srcset", "data", "action", "poster", "formaction", "background"}


class Page(HTMLParser):
    """What a browser would make of the page: elements, visible text, scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.scripts, self.words, self.inside = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.inside = tag
            self.scripts += [""] if tag == "script" and "type" not in dict(attributes) else []

    def handle_endtag(self, tag):
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)
        elif self.inside == "script" and "type" not in self.elements[-1][1]:
            self.scripts[-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def written(results):
    return render(data_of_results(results))


@pytest.fixture(scope="module")
def page(written):
    return Page(written)


def test_the_same_tables_give_the_same_bytes(folder, tmp_path):
    first, second = (write_report(folder, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.html", "b.html"]


def test_a_report_from_the_steps_files_is_the_report_from_the_results_folder(folder, tmp_path):
    inputs = {path.stem: path for path in folder.iterdir() if path.suffix == ".parquet"}
    inputs |= {name: folder / f"{name}.json" for name in ("summary", "provenance")}
    out = tmp_path / "step"
    out.mkdir()
    facts = report_step(inputs, out)
    assert (out / "report.html").read_bytes() == write_report(folder, tmp_path / "again.html").read_bytes()
    assert facts == {"bytes": (out / "report.html").stat().st_size}


def test_nothing_is_loaded_from_anywhere(page):
    for tag, attributes in page.elements:
        for name in LOADING & attributes.keys():
            assert attributes[name].startswith("#"), (tag, attributes)
    assert not page.all("link")
    assert not page.all("iframe")


def test_the_style_loads_nothing(written):
    style = written.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_forbids_itself_to_load_anything_or_run_other_scripts(page):
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy
    digests = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts]
    assert len(digests) == 2  # plotly.js and ours
    assert all(f"'sha256-{digest}'" in policy for digest in digests)


def test_plotly_is_embedded_once(written):
    assert written.count("* plotly.js v") == 1


def test_the_figures_offer_no_upload(page):
    assert "showSendToCloud: false" in page.scripts[1]


def test_every_figure_has_its_place_and_its_caption(page):
    places = {attributes["id"] for attributes in page.all("div") if "plot" in attributes.get("class", "")}
    drawn = {attributes["data-figure"] for attributes in page.all("script") if "data-figure" in attributes}
    names = {
        "ledger",
        "waterfall",
        "forest",
        "pairs",
        "ordination",
        "null-primary",
        "null-1",
        "quality",
        "spider",
        "swimmer",
    }
    names |= {"survival-pfs", "survival-os", "survival-response-duration"}
    names |= {"coefficients", "decision-curve", "learning-curve", "stability-baseline", "stability-change"}
    names |= {"interaction", "composition-blood-cell-types", "composition-faecal-taxa"}
    assert {f"figure-{name}" for name in names} <= places == drawn
    captions = {attributes["id"] for attributes in page.all("figcaption")}
    assert captions == {attributes["aria-labelledby"] for attributes in page.all("figure")}


def test_every_table_has_a_caption_and_named_headings(written):
    tables = re.findall(r"<table>.*?</table>", written, flags=re.DOTALL)
    assert len(tables) > 8
    for table in tables:
        assert "<caption>" in table
        assert set(re.findall(r"<th scope=\"(\w+)\"", table)) == {"row", "col"}
        assert "<th>" not in table


def test_every_link_leads_to_a_place_on_the_page(page):
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {attributes["href"].removeprefix("#") for attributes in page.all("a")}
    assert len(links) >= 11
    assert links <= ids


def test_no_id_is_given_twice(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_answer_stands_on_top(page, results):
    text = page.text
    for sentence in results.summary["answer"]:
        assert re.sub(r"\s+", " ", sentence) in text
    assert text.index("3 of 10 patients responded") < text.rindex("The trial in numbers")  # the first is a link


def test_p_stands_beside_its_floor_and_models_beside_the_patients_they_need(page):
    assert "0.00195 (floor 0.00195)" in page.text
    assert "patients needed" in page.text
    assert "323" in page.text


def test_every_missing_reason_is_told(page):
    assert page.text.count("biopsy not possible") == 2


def test_text_of_the_input_stays_text(hostile):
    written = render(data_of_results(hostile))
    page = Page(written)
    assert INJECTION not in written
    assert f"{INJECTION}study" in page.text
    assert len(page.scripts) == 2
    assert not page.all("img")
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_degenerate_results_are_told_in_words(degenerate):
    text = Page(render(data_of_results(degenerate))).text
    assert not re.search(r"\b(nan|NaN|None|<NA>|inf)\b", text)
    assert "ot estimable" in text or "No waterfall" in text


def test_a_feature_stands_by_its_name_and_in_plain_words(written, page):
    assert (
        "clr_<wbr>CD8_<wbr>TEM<small>CD8 effector memory T cells, centred log-ratio of cell fractions; blood, primary"
        in written
    )
    assert "CD8 effector memory T cells (clr_CD8_TEM), blood: no change shown, as an earlier feature" in page.text


def test_who_was_left_out_of_a_model_is_told_by_reason():
    people = [{"patient_id": f"P{number}", "reason": "no pair"} for number in (10, 2)]
    assert _reasons([*people, {"patient_id": "P3", "reason": "no response"}], "patient_id") == (
        "no pair: 2 (P2, P10); no response: 1 (P3)"
    )


@pytest.mark.parametrize(
    ("lesions", "risk"), [(True, "judged by fixed rules from the lesions"), (False, "not known here")]
)
def test_the_rating_of_the_outcome_depends_on_who_judged_it(tmp_path, lesions, risk):
    trial = Invented(lesions=lesions, exploratory=0)
    assert risk in Page(render(data_of_results(open_results(make_results(tmp_path / "r", trial))))).text


def test_too_few_pairs_are_said_to_be_too_few(tmp_path):
    trial = Invented(patients=tuple(f"P{index}" for index in range(5)), responders=2, missing=frozenset())
    text = Page(render(data_of_results(open_results(make_results(tmp_path / "five", trial))))).text
    assert "cannot reach 0.05 with 5 pairs" in text
    assert "not significant" not in text


def test_a_folder_without_an_indispensable_table_is_refused(folder, tmp_path):
    poor = tmp_path / "poor"
    poor.mkdir()
    (poor / "summary.json").write_bytes((folder / "summary.json").read_bytes())
    with pytest.raises(ResultsError, match=r"holds no features\.parquet"):
        write_report(poor, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_study_without_stool_models_or_lesions_needs_none_of_their_tables(folder, tmp_path):
    poor = tmp_path / "poor"
    poor.mkdir()
    optional = {"predictions", "permutations", "distances", "ordination", "sums", "provenance"}
    optional |= {"timeline", "survival", "toxicity", "remarks"}
    for path in folder.iterdir():
        if path.stem not in optional:
            (poor / path.name).write_bytes(path.read_bytes())
    assert "No patient could be predicted" in Page(write_report(poor, tmp_path / "report.html").read_text()).text
