"""All rules, and the one function that applies them."""

from collections.abc import Iterator
from typing import Final

from patterns_os.diagnostics import Diagnostic, Severity, sort_diagnostics
from patterns_os.graph.rules import configuration, scripts, stores, triggers, values
from patterns_os.graph.rules.rule import Checked, Repair, Rule

_ERROR, _WARNING, _OFF = Severity.ERROR, Severity.WARNING, None

RULES: Final[tuple[Rule, ...]] = (
    Rule("cron-replaces-trigger", _OFF, triggers.clocks_instead_of_rows),
    Rule("cycle", _ERROR, triggers.circles, can_be_ignored=False),
    Rule("effect-without-once", _WARNING, scripts.effects_without_once),
    Rule("fixed-timezone", _WARNING, triggers.zones_without_summer),
    Rule("insert-repeats", _WARNING, scripts.repeated_inserts),
    Rule("key-without-column", _WARNING, stores.keys_without_column),
    Rule("missing-file", _ERROR, scripts.missing_files, scripts.rename_file, can_be_ignored=False),
    Rule("missing-parameter", _ERROR, values.missing_parameters, can_be_ignored=False),
    Rule("misspelt-column", _WARNING, stores.misspelt_columns),
    Rule("mixed-storages", _ERROR, scripts.mixed_storages, can_be_ignored=False),
    Rule("naive-datetime", _WARNING, scripts.naive_datetimes),
    Rule("never-started", _WARNING, triggers.nodes_never_started),
    Rule("no-text-model", _WARNING, values.missing_text_models),
    Rule("output-not-written", _WARNING, scripts.unwritten_outputs),
    Rule("parameter-type", _ERROR, values.parameters_of_other_types, can_be_ignored=False),
    Rule("read-after-write", _WARNING, stores.reads_after_writes),
    Rule("replaced-and-appended", _WARNING, stores.replaced_and_appended),
    Rule("script-twice", _WARNING, scripts.scripts_listed_twice),
    Rule("secret-in-text", _WARNING, values.secrets_in_text),
    Rule("select-reads-output", _WARNING, scripts.selects_of_own_output),
    Rule("select-star", _WARNING, stores.stars_into_schemas),
    Rule("self-trigger", _ERROR, triggers.self_triggers, can_be_ignored=False),
    Rule("shadowed-module", _WARNING, scripts.shadowed_modules),
    Rule("trigger-on-output", _WARNING, triggers.triggers_on_own_tables),
    Rule("two-replacers", _ERROR, stores.two_replacers),
    Rule("undeclared-secret", _WARNING, values.undeclared_secrets, values.declare_secret),
    Rule("undeclared-store", _OFF, stores.undeclared_stores, stores.declare_store),
    Rule("unknown-file", _WARNING, stores.unknown_files),
    Rule("unknown-model", _WARNING, values.unknown_models),
    Rule("unknown-parameter", _WARNING, values.unknown_parameters),
    Rule(
        "unknown-runtime",
        _ERROR,
        configuration.unknown_runtimes,
        configuration.rename_runtime,
        can_be_ignored=False,
    ),
    Rule(
        "unknown-storage",
        _ERROR,
        configuration.unknown_storages,
        configuration.rename_storage,
        can_be_ignored=False,
    ),
    Rule("unknown-table", _ERROR, stores.unknown_tables, stores.rename_table, can_be_ignored=False),
    Rule("unlisted-script", _WARNING, scripts.unlisted_scripts),
    Rule("unreachable-storage", _WARNING, configuration.unreachable_storages),
    Rule("unresolved-use", _WARNING, scripts.unresolved_uses),
    Rule("unused-model", _WARNING, values.unused_models),
    Rule("unused-parameter", _WARNING, values.unused_parameters, values.remove_parameter),
    Rule("unused-runtime", _WARNING, configuration.unused_runtimes, configuration.remove_runtime),
    Rule("unused-secret", _WARNING, values.unused_secrets),
    Rule("unused-storage", _WARNING, configuration.unused_storages),
    Rule("unused-store", _WARNING, stores.unused_stores),
    Rule("upsert-without-key", _ERROR, stores.upserts_without_key),
    Rule("wrong-name", _ERROR, stores.wrong_names, can_be_ignored=False),
)

BY_CODE: Final[dict[str, Rule]] = {rule.code: rule for rule in RULES}


def check_graph(checked: Checked) -> tuple[Diagnostic, ...]:
    """Give everything that is wrong with the app as a whole, sorted by place.

    Severities are those of the rules; what patterns.json and comments say of them comes later.
    """
    return sort_diagnostics(
        rule.diagnostic(finding) for rule in _active(checked) for finding in rule.check(checked)
    )


def propose_repairs(checked: Checked) -> Iterator[tuple[Diagnostic, Repair]]:
    """Give the findings that can be mended without a doubt, with the edit that does."""
    for rule in _active(checked):
        for finding in rule.check(checked) if rule.fix else ():
            repair = rule.fix(checked, finding) if rule.fix else None
            if repair is not None:
                yield rule.diagnostic(finding), repair


def _active(checked: Checked) -> Iterator[Rule]:
    asked = checked.configuration.rules if checked.configuration else {}
    for rule in RULES:
        if asked.get(rule.code, rule.severity or "off") != "off" or not rule.can_be_ignored:
            yield rule
