"""Which provider answers for a model of the plan: the one place that knows them all."""

import json
from collections.abc import Callable, Iterable

from patterns_os.adapters.models.echo import EchoModel
from patterns_os.adapters.models.endpoint import DEFAULT_ENDPOINT, target_of
from patterns_os.adapters.models.openai_compatible import OpenAICompatibleModel
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import PermanentError
from patterns_os.plan.spec import PlannedModel
from patterns_os.ports.models import ModelProvider

PROVIDERS = ("echo", "openai")
TEXT_TYPES = ("chat", "next-token-text")


def provider_for(planned: PlannedModel, secret: Callable[[str], str | None]) -> ModelProvider:
    """Give the provider of a model; nothing is connected yet.

    Args:
        planned: The model; an endpoint without a provider is an OpenAI-compatible one.
        secret: Gives the value of a secret by name, `None` where it isn't set.

    Raises:
        PermanentError: `model-not-bound`, `model-provider`, `model-credentials`, `model-endpoint`,
            `model-type`.
    """
    provider = planned.provider or ("openai" if planned.endpoint else None)
    if provider is None:
        raise _not_bound(planned.name)
    if provider == "echo":
        return EchoModel(planned.model or "echo")
    if provider == "openai":
        return _openai_compatible(planned, secret)
    raise PermanentError(
        f"model {quote(planned.name)} is bound to provider {quote(provider)}, "
        f"expected one of {', '.join(map(quote, PROVIDERS))}",
        code="model-provider",
        hint=did_you_mean(provider, PROVIDERS),
    )


def text_model_of(models: Iterable[PlannedModel]) -> PlannedModel:
    """Give the model that answers where an app names none: the first bound text model, else the first.

    Without any, it is an unbound model "text", so that asking it says how to bind one.
    """
    texts = [model for model in models if model.type in TEXT_TYPES]
    bound = [model for model in texts if model.provider or model.endpoint]
    return next(iter(bound or texts), PlannedModel(name="text"))


def _openai_compatible(planned: PlannedModel, secret: Callable[[str], str | None]) -> OpenAICompatibleModel:
    key = None if planned.secret is None else secret(planned.secret)
    if planned.secret is not None and not key:
        raise PermanentError(
            f"model {quote(planned.name)} needs secret {quote(planned.secret)}, which is not set",
            code="model-credentials",
            hint=f"set it with `patterns secret set {planned.secret}`, or in the environment",
        )
    return OpenAICompatibleModel(
        name=planned.name,
        model=planned.model,
        target=target_of(planned.endpoint or DEFAULT_ENDPOINT, planned.type),
        key=key,
        key_name=planned.secret,
        options=planned.options,
    )


def _not_bound(name: str) -> PermanentError:
    bound = {
        "name": name,
        "provider": "openai",
        "endpoint": DEFAULT_ENDPOINT,
        "model": "gpt-4o-mini",
        "secret": "OPENAI_API_KEY",
    }
    return PermanentError(
        f"model {quote(name)} is not bound to anything that answers",
        code="model-not-bound",
        hint=f"patterns add model {name} --provider echo (made-up answers, offline), or add {_binding(bound)} "
        "to patterns.json",
    )


def _binding(entry: dict[str, str]) -> str:
    return f'"models": [{json.dumps(entry, ensure_ascii=False)}]'
