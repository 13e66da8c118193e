"""The tables of a results folder, each by its name."""

from functools import cached_property

import pandas as pd


class ResultTables:
    """Every table that `tables.published.TABLES` promises; read when it is first asked for."""

    def _table(self, name: str) -> pd.DataFrame:
        raise NotImplementedError

    @cached_property
    def features(self) -> pd.DataFrame:
        """Sample x feature, long: `value` in `unit`."""
        return self._table("features")

    @cached_property
    def changes(self) -> pd.DataFrame:
        """One row a feature: estimate, interval, p with its floor, q, tier."""
        return self._table("changes")

    @cached_property
    def deltas(self) -> pd.DataFrame:
        """One row a patient and feature: before, after, change, on the scale that was tested."""
        return self._table("deltas")

    @cached_property
    def gates(self) -> pd.DataFrame:
        """Where each marker is cut, by batch and the population it is cut in."""
        return self._table("gates")

    @cached_property
    def populations(self) -> pd.DataFrame:
        """One row a gated sample and population: events, shares, cells per microlitre."""
        return self._table("populations")

    @cached_property
    def densities(self) -> pd.DataFrame:
        """How each gated sample's events lie along each marker that is cut."""
        return self._table("densities")

    @cached_property
    def positions(self) -> pd.DataFrame:
        """Each gated sample's own modes beside the cut of its batch."""
        return self._table("positions")

    @cached_property
    def gate_checks(self) -> pd.DataFrame:
        """Whether a population changed or a marker that defines it."""
        return self._table("gate_checks")

    @cached_property
    def detection(self) -> pd.DataFrame:
        """How far each protein could be measured."""
        return self._table("detection")

    @cached_property
    def overlaps(self) -> pd.DataFrame:
        """One row a patient and receptor locus: how much of the repertoire before is there after."""
        return self._table("overlaps")

    @cached_property
    def clones(self) -> pd.DataFrame:
        """T-cell clones that expanded or contracted, and the largest that did not."""
        return self._table("clones")

    @cached_property
    def embedding(self) -> pd.DataFrame:
        """Some cells of every sample, laid out for the eye."""
        return self._table("embedding")

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """One row a patient: best response, responder, PFS in days."""
        return self._table("outcomes")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Out-of-fold probability of response of each patient in each model."""
        return self._table("predictions")

    @cached_property
    def permutations(self) -> pd.DataFrame:
        """The AUC of each model under each relabelling of the patients."""
        return self._table("permutations")

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """What each model learnt of each feature, fitted to all patients."""
        return self._table("coefficients")

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """Forecast and observed share of responders in groups of patients, by model; only where it is estimable."""
        return self._table("calibration")

    @cached_property
    def decision_curve(self) -> pd.DataFrame:
        """Net benefit of each model, of treating everybody and of treating nobody, by threshold."""
        return self._table("decision_curve")

    @cached_property
    def batch_validation(self) -> pd.DataFrame:
        """Each batch forecast by a model of the others."""
        return self._table("batch_validation")

    @cached_property
    def stability(self) -> pd.DataFrame:
        """How often a feature is among the best in halves of the patients: a description, no signature."""
        return self._table("stability")

    @cached_property
    def learning_curve(self) -> pd.DataFrame:
        """What simulated trials of more patients would show."""
        return self._table("learning_curve")

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """Every patient x timepoint x compartment x assay: used, or why not."""
        return self._table("ledger")

    @cached_property
    def qc(self) -> pd.DataFrame:
        """Quality of each sample, each measure with its limit."""
        return self._table("qc")

    @cached_property
    def families(self) -> pd.DataFrame:
        """What each family of tests can show at this n."""
        return self._table("families")

    @cached_property
    def singles(self) -> pd.DataFrame:
        """Patients with one sample of a feature."""
        return self._table("singles")

    @cached_property
    def by_response(self) -> pd.DataFrame:
        """Whether a feature moved otherwise in responders than in the others."""
        return self._table("by_response")

    @cached_property
    def courses(self) -> pd.DataFrame:
        """Each later timepoint against the first, where a study has more than two."""
        return self._table("courses")

    @cached_property
    def axes(self) -> pd.DataFrame:
        """The retinoic-acid and peroxidation axes apart, each where it means something: before treatment, or as a change."""
        return self._table("axes")

    @cached_property
    def genes(self) -> pd.DataFrame:
        """How each gene changed within patients (log2)."""
        return self._table("genes")

    @cached_property
    def gene_deltas(self) -> pd.DataFrame:
        """Each patient's change (log2) of the genes that the report shows."""
        return self._table("gene_deltas")

    @cached_property
    def enrichment(self) -> pd.DataFrame:
        """Whether the genes of a signature changed together."""
        return self._table("enrichment")

    @cached_property
    def gene_coverage(self) -> pd.DataFrame:
        """Which genes of a signature were not measured."""
        return self._table("gene_coverage")

    @cached_property
    def identity(self) -> pd.DataFrame:
        """What speaks against a sample being whose it is said to be."""
        return self._table("identity")

    @cached_property
    def composition(self) -> pd.DataFrame:
        """Changes of cell types and taxa as parts of a whole."""
        return self._table("composition")

    @cached_property
    def community(self) -> pd.DataFrame:
        """Tests of whole communities: time, response, response x time, dispersion."""
        return self._table("community")

    @cached_property
    def chain(self) -> pd.DataFrame:
        """Each patient's change at each step of the mechanism."""
        return self._table("chain")

    @cached_property
    def links(self) -> pd.DataFrame:
        """The test of each link of the mechanism."""
        return self._table("links")

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """Each primary result again with one thing changed."""
        return self._table("sensitivity")

    @cached_property
    def shadow_null(self) -> pd.DataFrame:
        """How often the tests reject when before and after are swapped at random."""
        return self._table("shadow_null")

    @cached_property
    def power(self) -> pd.DataFrame:
        """The smallest change each primary test would have found."""
        return self._table("power")

    @cached_property
    def distances(self) -> pd.DataFrame:
        """Distance of every two stool samples."""
        return self._table("distances")

    @cached_property
    def ordination(self) -> pd.DataFrame:
        """The stool samples on two principal coordinates."""
        return self._table("ordination")

    @cached_property
    def sums(self) -> pd.DataFrame:
        """The target lesions' sum of diameters (mm) and the response at each visit."""
        return self._table("sums")

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """What happened to each patient and when, in days from first dose."""
        return self._table("timeline")

    @cached_property
    def survival(self) -> pd.DataFrame:
        """Kaplan-Meier steps of progression-free survival, survival and response duration, of all patients and by arm."""
        return self._table("survival")

    @cached_property
    def toxicity(self) -> pd.DataFrame:
        """How many patients had each adverse event, at which worst grade."""
        return self._table("toxicity")

    @cached_property
    def remarks(self) -> pd.DataFrame:
        """What in the clinical tables is no mistake and yet must not pass in silence."""
        return self._table("remarks")

    @cached_property
    def microbes(self) -> pd.DataFrame:
        """One row a stool and listed microbe: its share, what it is listed for, on what evidence."""
        return self._table("microbes")

    @cached_property
    def microbe_scores(self) -> pd.DataFrame:
        """TOPOSCORE and the class of Akkermansia of each stool, or why there is none."""
        return self._table("microbe_scores")

    @cached_property
    def rarefaction(self) -> pd.DataFrame:
        """What would be seen of each stool with fewer reads."""
        return self._table("rarefaction")

    @cached_property
    def taxa(self) -> pd.DataFrame:
        """How each taxon changed, rank by rank, by three methods."""
        return self._table("taxa")

    @cached_property
    def contaminants(self) -> pd.DataFrame:
        """Taxa of the blank controls, and whether blanks hold them more often than stools."""
        return self._table("contaminants")

    @cached_property
    def contaminated_samples(self) -> pd.DataFrame:
        """How much of each stool is called a contaminant, where there are blank controls."""
        return self._table("contaminated_samples")

    @cached_property
    def stool_identity(self) -> pd.DataFrame:
        """Whether each stool lies nearest to the same patient's other one."""
        return self._table("stool_identity")

    @cached_property
    def procrustes(self) -> pd.DataFrame:
        """Whether patients alike in one compartment are alike in another."""
        return self._table("procrustes")
