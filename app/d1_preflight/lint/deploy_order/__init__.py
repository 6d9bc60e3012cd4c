"""What `preflight code` prints: the order that is safe, and the queries that say so."""

import json

from d1_preflight.code.verdict import Verdict
from d1_preflight.lint import Format


def render_order(verdict: Verdict, form: Format, prefix: str = "") -> str:
    """A verdict by itself; `prefix` leads from where paths begin to the repository's root."""
    return with_order("", verdict, form, prefix)


def with_order(findings: str, verdict: Verdict, form: Format, prefix: str = "") -> str:
    """The findings of `preflight lint` with a verdict added, one document where it was one."""
    match form:
        case Format.TEXT:
            from d1_preflight.lint.deploy_order.text import order_as_text

            return "\n".join(filter(None, (findings, order_as_text(verdict, prefix))))
        case Format.JSON:
            from d1_preflight.lint.deploy_order.plain_json import order_document

            order = order_document(verdict, prefix)
            document = {**json.loads(findings), "code": order} if findings else order
            return json.dumps(document, indent=2) + "\n"
        case Format.SARIF:
            from d1_preflight.lint.deploy_order.sarif import order_run, with_run

            return with_run(findings, order_run(verdict, prefix))
        case Format.GITHUB:
            from d1_preflight.lint.deploy_order.github import order_as_github

            return findings + order_as_github(verdict, prefix)
