"""What `preflight code` prints: the order that is safe, and the queries that say so."""

import json

from d1_preflight.code.verdict import Verdict
from d1_preflight.lint import Format
from d1_preflight.lint.deploy_order.github import order_as_github
from d1_preflight.lint.deploy_order.plain_json import order_document
from d1_preflight.lint.deploy_order.sarif import order_run, with_run
from d1_preflight.lint.deploy_order.text import order_as_text


def render_order(verdict: Verdict, form: Format, prefix: str = "") -> str:
    """A verdict by itself; `prefix` leads from where paths begin to the repository's root."""
    match form:
        case Format.TEXT:
            return order_as_text(verdict, prefix)
        case Format.JSON:
            return json.dumps(order_document(verdict, prefix), indent=2) + "\n"
        case Format.SARIF:
            return with_run("", order_run(verdict, prefix))
        case Format.GITHUB:
            return order_as_github(verdict, prefix)


def with_order(findings: str, verdict: Verdict, form: Format, prefix: str = "") -> str:
    """The findings of `preflight lint` with a verdict added, one document where it was one."""
    match form:
        case Format.JSON:
            document = {**json.loads(findings), "code": order_document(verdict, prefix)}
            return json.dumps(document, indent=2) + "\n"
        case Format.SARIF:
            return with_run(findings, order_run(verdict, prefix))
        case Format.TEXT:
            return "\n".join(filter(None, (findings, order_as_text(verdict, prefix))))
        case Format.GITHUB:
            return findings + order_as_github(verdict, prefix)
