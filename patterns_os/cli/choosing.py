"""Finding the webhook that somebody means."""

from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import UsageError
from patterns_os.plan.spec import Plan, PlannedWebhook


def choose(plan: Plan, title: str | None) -> PlannedWebhook:
    """Give the webhook of that title, name or path; the only one if none is asked for."""
    known = [hook.title for hook in plan.webhooks]
    if title is None:
        if len(plan.webhooks) == 1:
            return plan.webhooks[0]
        raise UsageError(
            f"The app has {len(known)} webhooks: {', '.join(map(quote, known)) or 'none'}",
            code="webhook-title",
            hint="say which: --title=…" if known else "add one to manifest.json, or from a template",
        )
    for hook in plan.webhooks:
        if title in {hook.title, hook.name, hook.path} or title.casefold() == hook.title.casefold():
            return hook
    raise UsageError(
        f'No webhook has the title "{title}"; known: {", ".join(map(quote, known)) or "none"}',
        code="unknown-webhook",
        hint=did_you_mean(title, known),
    )
