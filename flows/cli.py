"""The command line. Each command imports what it needs when it is called, so that `--help` answers at once."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from flows.study_request import StudyRequest
    from rabiomarkers.settings.study import StudySettings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Paired tumour, blood and stool samples of a trial: from files to a response report.",
)
tell = Console(stderr=True)

INPUT_WRONG, FAILED = 2, 1


class Effect(StrEnum):
    """Whether a simulated trial holds an effect."""

    planted = "planted"
    none = "none"


class Chemistry(StrEnum):
    """What kind of library the reads are of."""

    bulk = "bulk"
    tenx_v2 = "10xv2"
    tenx_v3 = "10xv3"


class Strand(StrEnum):
    """Which strand of the transcript read 1 is of."""

    unstranded = "unstranded"
    forward = "forward"
    reverse = "reverse"


Study = Annotated[Path, typer.Argument(metavar="STUDY", help="The folder that holds study.yaml and samples.csv.")]
Results = Annotated[Path, typer.Argument(metavar="RESULTS", help="A results folder.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Processes that score samples at once.")]
Direct = Annotated[bool, typer.Option("--direct", help="The same pipeline and the same bytes, without Prefect.")]


def _plain_word(batch: str | None) -> str | None:
    """Batches are named in run names and stored parameters, so only ids are taken."""
    if batch is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", batch):
        raise typer.BadParameter(f"{batch!r} is no batch name: letters, digits, dot, hyphen and underscore")
    return batch


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("results/demo"),
    seed: Annotated[int, typer.Option(help="Seed of the simulated trial.")] = 1,
    direct: Direct = False,
    workers: Workers = 1,
) -> None:
    """Simulate a ten-patient trial with a known truth, run everything on it, tell where the report lies.

    Example: rabiomarkers demo --seed 7
    """
    with _errors_told():
        import shutil

        from flows.study_request import StudyRequest, workspace
        from rabiomarkers.publish import refuse_foreign_folder
        from rabiomarkers.simulate.study import simulate_study

        refuse_foreign_folder(out)
        study = workspace(out.resolve()) / f"{out.name}-study-seed-{seed}"
        tell.print(f"simulating ten patients (seed {seed})", markup=False, highlight=False)
        shutil.rmtree(study, ignore_errors=True)  # ours, and made again from the seed
        simulate_study(study, patients=10, effect="planted", seed=seed)
        _run(StudyRequest(study=study, out=out, workers=workers), direct=direct)


@app.command()
def simulate(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder to write; it must not hold anything yet.")],
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 10,
    effect: Annotated[Effect, typer.Option(help="A known effect, or none at all.")] = Effect.planted,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 1,
    cells: Annotated[int, typer.Option(min=50, help="Blood cells a sample.")] = 2000,
) -> None:
    """Write a complete study folder and what is true of it (truth.json).

    Example: rabiomarkers simulate studies/twenty --patients 20 --effect none
    """
    with _errors_told():
        from rabiomarkers.simulate.study import simulate_study

        simulate_study(study, patients=patients, effect=effect.value, seed=seed, cells=cells)
        typer.echo(study)


@app.command()
def count(
    sheet: Annotated[Path, typer.Argument(metavar="SHEET", help="CSV: sample_id, read1, read2; a row a lane.")],
    index: Annotated[Path, typer.Option(help="The index of kallisto (`kb ref` or `kallisto index` makes one).")],
    transcripts: Annotated[Path, typer.Option(help="Which gene each transcript is of (kallisto's t2g.txt will do).")],
    out: Annotated[Path, typer.Option(help="The folder for the counts.")],
    technology: Annotated[Chemistry, typer.Option(help="Bulk RNA, or the chemistry of 10x cells.")] = Chemistry.bulk,
    reads: Annotated[Path | None, typer.Option(help="A second folder for FASTQ files, beside that of SHEET.")] = None,
    barcodes: Annotated[Path | None, typer.Option(help="The list of barcodes of the 10x chemistry.")] = None,
    strand: Annotated[Strand, typer.Option(help="Which strand bulk reads are of.")] = Strand.unstranded,
    fragment_length: Annotated[float, typer.Option(min=1, help="Of bulk reads without mates: mean length.")] = 200,
    fragment_sd: Annotated[float, typer.Option(min=0.1, help="Its standard deviation.")] = 30,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads of the counting program.")] = 1,
    direct: Direct = False,
) -> None:
    """FASTQ files to counts that samples.csv can name; needs the extra `fastq`.

    Example: rabiomarkers count reads.csv --index human.idx --transcripts t2g.txt --out studies/ra-pd1/counts
    """
    with _errors_told():
        from flows.count_request import CountRequest, run_counting
        from flows.terminal import terminal_progress

        request = CountRequest(
            sheet=sheet,
            index=index,
            transcripts=transcripts,
            out=out,
            technology=technology.value,
            reads=reads,
            barcodes=barcodes,
            strand=strand.value,
            fragment_length=fragment_length,
            fragment_sd=fragment_sd,
            threads=threads,
        )
        done = run_counting(request, terminal_progress(tell), direct=direct, tell=_say)
        fresh = sum(not step.reused for step in done)
        _say(f"{fresh} libraries counted, {len(done) - fresh} already there")
        _say("complete samples_lines.csv and add its lines to samples.csv")
        typer.echo(_short(request.folder))


@app.command()
def profile(
    sheet: Annotated[Path, typer.Argument(metavar="SHEET", help="CSV: sample_id, read1, read2; a row a lane.")],
    database: Annotated[Path, typer.Option(help="sourmash's database (.zip, .sig), or a folder of genomes (FASTA).")],
    out: Annotated[Path, typer.Option(help="The folder for the table of taxa.")],
    taxonomy: Annotated[Path | None, typer.Option(help="The lineage of each genome (CSV: ident, ranks).")] = None,
    reads: Annotated[Path | None, typer.Option(help="A second folder for FASTQ files, beside that of SHEET.")] = None,
    ksize: Annotated[int, typer.Option(min=15, max=63, help="Bases of a k-mer; the database must have them.")] = 31,
    scaled: Annotated[int, typer.Option(min=1, max=1_000_000, help="One k-mer in so many is kept.")] = 1000,
    threshold_bp: Annotated[int, typer.Option(min=0, help="A genome with fewer bases found is not called.")] = 50_000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that profile samples at once.")] = 1,
    direct: Direct = False,
) -> None:
    """FASTQ files of stools to a table of taxa that samples.csv can name; needs the extra `metagenome`.

    Example: rabiomarkers profile stools.csv --database gtdb.k31.zip --taxonomy gtdb.lineages.csv --out studies/ra-pd1/taxa
    """
    with _errors_told():
        from flows.profile_request import ProfileRequest, run_profiling
        from flows.terminal import terminal_progress

        request = ProfileRequest(
            sheet=sheet,
            database=database,
            out=out,
            lineages=taxonomy,
            reads=reads,
            ksize=ksize,
            scaled=scaled,
            threshold_bp=threshold_bp,
            workers=workers,
        )
        done = run_profiling(request, terminal_progress(tell), direct=direct, tell=_say)
        fresh = sum(not step.reused for step in done)
        _say(f"{fresh} samples profiled, {len(done) - fresh} already there")
        _say(
            "complete samples_lines.csv, add its lines to samples.csv, and name the database in study.yaml (taxa_database)"
        )
        typer.echo(_short(request.folder))


@app.command()
def check(study: Study) -> None:
    """Read everything that can be read without computing, and list every problem at once.

    Example: rabiomarkers check studies/ra-pd1
    """
    with _errors_told():
        from rabiomarkers.errors import InputError
        from rabiomarkers.study import check_study, open_study

        with tell.status("reading") if tell.is_terminal else nullcontext():
            problems = check_study(study)
        if problems:
            raise InputError(problems)
        typer.echo("no problem found")
        typer.echo(_plan_line(open_study(study).settings))


def _plan_line(settings: "StudySettings") -> str:
    """The plan's hash, and whether it is the registered one."""
    if settings.registration is None:
        return f"plan {settings.plan_hash}: not registered (plan: registered: in study.yaml keeps this hash)"
    if settings.registration:
        return f"plan {settings.plan_hash}: as registered"
    return f"plan {settings.plan_hash}: not the registered one ({settings.plan.registered}); everything will be exploratory"


@app.command()
def run(
    study: Study,
    out: Annotated[Path | None, typer.Option(help="Where the results go  [default: results/<name of STUDY>].")] = None,
    batch: Annotated[str | None, typer.Option(callback=_plain_word, help="Only the samples of this batch.")] = None,
    workers: Workers = 1,
    direct: Direct = False,
) -> None:
    """From a study folder to a results folder with a report; what is already computed is not computed again.

    Example: rabiomarkers run studies/ra-pd1 --out results/ra-pd1 --workers 2
    """
    with _errors_told():
        from flows.study_request import StudyRequest

        _run(StudyRequest(study=study, out=out, batch=batch, workers=workers), direct=direct)


@app.command()
def report(results: Results) -> None:
    """Write report.html again from the tables of a results folder.

    Example: rabiomarkers report results/ra-pd1
    """
    with _errors_told():
        from rabiomarkers.report.page import write_report

        path = results / "report.html"
        write_report(results, path)
        typer.echo(path)


@app.command()
def serve(
    studies: Annotated[Path, typer.Option(help="The folder whose subfolders are studies.")] = Path("studies"),
    results: Annotated[Path, typer.Option(help="Where their results go.")] = Path("results"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the local server.")] = 4200,
) -> None:
    """A local Prefect server, a worker and the deployments of prefect.yaml, until interrupted.

    Example: rabiomarkers serve --studies studies --results results
    """
    with _errors_told():
        from flows.service import serve_until_interrupted

        serve_until_interrupted(studies, results, port=port, tell=lambda line: tell.print(line, markup=False))


@app.command()
def predict(
    results: Results,
    study: Study,
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("predictions.csv"),
) -> None:
    """Apply the frozen models of RESULTS to the patients of another study; nothing is fitted again.

    The CSV says of each patient how far they lie from those a model was trained on. A model that does not fit the study (features
    missing, another unit or scale) gives the reason. Where responses are known, OUT.validation.json tells how well the models did.

    Example: rabiomarkers predict results/ra-pd1 studies/next --out next.csv
    """
    with _errors_told():
        from flows.study_request import StudyRequest
        from flows.terminal import terminal_progress
        from rabiomarkers.application import predict_study

        if not out.name:
            raise typer.BadParameter(f"{str(out)!r} names no file", param_hint="--out")
        request = StudyRequest(study=study, out=out.with_suffix(""))
        applied = predict_study(results, request.open(), request.store(), out, progress=terminal_progress(tell))
        for line in applied.words:
            tell.print(line, markup=False, highlight=False, soft_wrap=True)
        typer.echo(out)


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The results of the earlier data cut.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="The results of the later one.")],
) -> None:
    """What changed between two data cuts: samples, outcomes, planned changes, models.

    Example: rabiomarkers diff results/march results/june
    """
    with _errors_told():
        from rabiomarkers.comparison import compare_results

        for line in compare_results(before, after):
            typer.echo(line)


def main() -> None:
    """The entry point of the `rabiomarkers` command."""
    app()


def _run(request: "StudyRequest", *, direct: bool) -> None:
    from flows.terminal import terminal_progress
    from rabiomarkers.publish import refuse_foreign_folder

    refuse_foreign_folder(request.results)
    study = request.open()  # a faulty sheet is told before anything is started or written
    progress = terminal_progress(tell)
    if direct:
        from rabiomarkers.pipeline import run_study

        done = run_study(study, request.store(), request.results, progress=progress)
    else:
        from flows.embedded import run_flow

        done = run_flow(request, progress, tell=_say)
    fresh = len(done.computed)
    tell.print(f"{fresh} steps computed, {len(done.steps) - fresh} already there", markup=False, highlight=False)
    typer.echo(_short(done.results / "report.html"))


def _say(line: str) -> None:
    tell.print(line, markup=False, highlight=False)


def _short(path: Path) -> Path:
    """The path as the user would type it from where he stands."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@contextmanager
def _errors_told() -> Iterator[None]:
    """Turn our errors into lines on standard error and an exit status; a fault of the program keeps its traceback."""
    from rabiomarkers.errors import InputError, RabiomarkersError

    try:
        yield
    except InputError as error:
        for problem in error.problems:
            tell.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        many = len(error.problems) != 1
        tell.print(f"{len(error.problems)} problem{'s' if many else ''}; nothing was written", highlight=False)
        raise typer.Exit(INPUT_WRONG) from None
    except RabiomarkersError as error:
        tell.print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(FAILED) from None
    except BrokenPipeError:
        # the reader of our output went away (`| head`): nothing left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        tell.print(f"{error.strerror or error}{where}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(FAILED) from None


if __name__ == "__main__":
    main()
