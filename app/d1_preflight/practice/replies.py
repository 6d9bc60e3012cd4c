"""HTTP answers in Cloudflare's envelope."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, ready to be sent."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    @classmethod
    def of(cls, status: int, value: object, headers: Mapping[str, str] | None = None) -> "Reply":
        """A JSON answer without the envelope."""
        return cls(status, json.dumps(value, ensure_ascii=False).encode(), headers or {})


def ok(result: object) -> Reply:
    """The envelope around a result."""
    return Reply.of(200, {"result": result, "success": True, "errors": [], "messages": []})


def listed(items: Sequence[object], *, page: int = 1, per_page: int = 20) -> Reply:
    """The envelope around one page of a list."""
    chosen = list(items[(page - 1) * per_page : page * per_page])
    info = {"page": page, "per_page": per_page, "count": len(chosen), "total_count": len(items)}
    info["total_pages"] = -(-len(items) // per_page)
    envelope = {"result": chosen, "success": True, "errors": [], "messages": []}
    return Reply.of(200, envelope | {"result_info": info})


def failed(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """The envelope around an error."""
    errors = [{"code": code, "message": message}]
    envelope = {"result": None, "success": False, "errors": errors, "messages": []}
    return Reply.of(status, envelope, headers)
