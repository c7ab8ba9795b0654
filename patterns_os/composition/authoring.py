"""An app's folder, read and compiled, and what its author keeps around it: secrets and environment."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from patterns_os.adapters.files.memo import memo_of, rare_collection, share
from patterns_os.adapters.files.sources import load_sources
from patterns_os.adapters.files.templates import with_components
from patterns_os.adapters.secrets.dotenv import DotenvSecrets
from patterns_os.adapters.secrets.environment import EnvironmentSecrets
from patterns_os.adapters.secrets.layered import LayeredSecrets
from patterns_os.adapters.secrets.local import LocalSecrets
from patterns_os.errors import CompileError, UsageError
from patterns_os.graph.build import Ahead
from patterns_os.graph.memo import Memo
from patterns_os.graph.sources import Sources
from patterns_os.manifest.configuration import ConfigurationSpec
from patterns_os.manifest.scripts import MANIFEST_NAMES
from patterns_os.manifest.webhooks import verifying_secrets
from patterns_os.plan.compile import Compiled, compile_app
from patterns_os.plan.spec import Plan
from patterns_os.ports.secrets import SecretStore
from patterns_os.triggers.cron import parse_cron


def find_app(start: Path) -> Path:
    """Give the nearest folder with a manifest, from `start` upwards.

    Raises:
        UsageError: There is none (`no-app`).
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if any((folder / name).is_file() for name in MANIFEST_NAMES):
            return folder
    raise UsageError(
        f'No app here: neither "{start}" nor a folder above it has a manifest.json or a graph.yml',
        code="no-app",
        hint="patterns create app my-app && cd my-app",
    )


def secrets_of(app: Path, environ: Mapping[str, str] | None = None) -> LayeredSecrets:
    """Give where the app's secrets are looked up: the environment, `.env`, then the encrypted store."""
    environ = os.environ if environ is None else environ
    layers: list[SecretStore] = [EnvironmentSecrets(environ), DotenvSecrets(app), LocalSecrets(app, environ)]
    return LayeredSecrets(layers)


def load(app: Path) -> Compiled:
    """Read and compile the app's folder, remembering what was worked out for the next time."""
    memo = memo_of(app)
    if memo is None:
        return compile_sources(app, Sources(load_sources(app)))
    # A compile makes many small values that stay: looking for cycles among them time and again costs a third.
    with closing(memo), rare_collection():
        compiled = compile_sources(app, Sources(load_sources(app)), memo, partial(share, memo))
        memo.save()
    return compiled


def compile_sources(
    app: Path, sources: Sources, memo: Memo | None = None, ahead: Ahead | None = None
) -> Compiled:
    """Compile files that the app's folder may not hold yet, with the components that they use."""
    return compile_app(
        Sources(with_components(sources)),
        parse_cron=parse_cron,
        lookup=secrets_of(app).get,
        folder=app.name,
        memo=memo,
        ahead=ahead,
    )


def load_plan(app: Path) -> tuple[Compiled, Plan]:
    """Read and compile the app, and insist that it has no errors.

    Raises:
        CompileError: It has; carries all findings.
    """
    compiled = load(app)
    if compiled.plan is None:
        raise CompileError(compiled.diagnostics)
    return compiled, compiled.plan


def configuration_of(compiled: Compiled) -> ConfigurationSpec:
    """Give what patterns.json says, all defaults where there is none."""
    parsed = compiled.configuration
    return parsed.spec if parsed is not None and parsed.spec is not None else ConfigurationSpec()


def node_secrets(app: Path, plan: Plan) -> dict[str, str]:
    """Give the values of all secrets that the plan names; those that are not set are left out."""
    store = secrets_of(app)
    names = {name for node in plan.nodes for name in node.secrets}
    names |= {model.secret for model in plan.models if model.secret}
    names |= {name for hook in plan.webhooks for name in verifying_secrets(hook.verify)}
    found = {name: store.get(name) for name in sorted(names)}
    return {name: value for name, value in found.items() if value is not None}


def secret_lookup(app: Path) -> Callable[[str], str | None]:
    """Give a question for values of secrets: a change is seen within a second, few requests read files."""
    store = secrets_of(app)
    known: dict[str, tuple[float, str | None]] = {}

    def value_of(name: str) -> str | None:
        now = time.monotonic()
        found = known.get(name)
        if found is None or now - found[0] > 1.0:
            found = known[name] = (now, store.get(name))
        return found[1]

    return value_of


def node_environment(app: Path) -> dict[str, str]:
    """Give the environment of scripts on a laptop: the shell's without our own variables, and `.env`."""
    dotenv = DotenvSecrets(app)
    extra = {name: dotenv.get(name) or "" for name in dotenv.names()}
    shell = {name: value for name, value in os.environ.items() if not name.startswith("PATTERNS_")}
    return {**extra, **shell}
