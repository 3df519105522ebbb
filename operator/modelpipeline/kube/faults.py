"""What the API server's answers mean, in words that a condition can hold.

    errors.OperatorError
    ├── Waiting    NamespaceTerminating
    ├── Stalled    Rejected (400, 413, 422, denied by an admission rule), Pod Security
    └── Retryable  NotFound (404), MissingCRD (404 of the collection), AlreadyExists and Conflict (409), Expired (410),
                   quota, no service account yet, Forbidden (403), Unauthorized (401), webhook or API server away

Here: the translation, once, from status code and Status body. Elsewhere: who asks (client.py) and what to do about an
error (runtime/worker.py). No other room sees a status code. Messages are deterministic, because they become
conditions: no uid, port, address, count or time in them, nor a value that was sent.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from modelpipeline import errors
from modelpipeline.api import reasons
from modelpipeline.kinds.kind import Kind

LIMIT = 512
"""No message is longer: what a condition may hold by our own rule."""


class NotFound(errors.Retryable):
    """The object is not there."""


class MissingCRD(errors.Retryable):
    """The whole kind is not there."""


class AlreadyExists(errors.Retryable):
    """A create found an object of that name; what it is must be read."""


class Conflict(errors.Retryable):
    """The resourceVersion or uid that was the precondition is no longer the object's."""


class Expired(errors.Retryable):
    """The continuation of a chunked list is too old; list again from the start."""


class Unauthorized(errors.Retryable):
    """The API server does not know us (any more)."""


class Rejected(errors.Stalled):
    """What was sent is refused, and would be again."""


class NamespaceTerminating(errors.Waiting):
    """The namespace is on its way out: nothing can be made in it and nothing has to be."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, as far as a message may tell it."""

    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""

    @property
    def what(self) -> str:
        """Return `Kind name`, or `Kind` for a collection."""
        return f"{self.kind.name} {self.name}" if self.name else self.kind.name


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a refusal, taken apart."""

    code: int
    message: str
    causes: tuple[dict[str, Any], ...] = ()
    about: str = ""
    known: bool = False


def from_answer(request: Request, code: int, body: bytes) -> errors.OperatorError:
    """Return the error that an answer of 400 or more means."""
    answer = _read(code, body)
    if code == 401:
        message = (
            f"the API server does not accept our credentials ({request.verb} {request.what}); check the kubeconfig"
        )
        return Unauthorized(reasons.API_UNAVAILABLE, one_line(message))
    if code == 403:
        return _forbidden(request, answer)
    if code == 404:
        return _not_found(request, answer)
    if code == 409:
        return _conflict(request, answer)
    if code == 410:
        return Expired(reasons.API_UNAVAILABLE, f"the list of {request.kind.plural} expired while it was read")
    if code == 429 or code >= 500:
        return _unavailable(request, answer)
    return _rejected(request, answer)


def unreachable(request: Request) -> errors.OperatorError:
    """Return the error for no answer at all: refused, cut or timed out. The cause differs from try to try."""
    return errors.Retryable(reasons.API_UNAVAILABLE, _away(request))


def one_line(text: str) -> str:
    """Return the text on one line of at most 512 characters, without control characters."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return flat if len(flat) <= LIMIT else flat[: LIMIT - 1].rstrip() + "…"


def _read(code: int, body: bytes) -> Answer:
    try:
        status = json.loads(body)
    except ValueError:
        return Answer(code, body[:LIMIT].decode(errors="replace"))
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return Answer(code, "")
    details = status.get("details") or {}
    causes = tuple(cause for cause in details.get("causes") or () if isinstance(cause, dict))
    return Answer(code, str(status.get("message") or ""), causes, str(details.get("kind") or ""), known=True)


def _away(request: Request) -> str:
    return f"the API server does not answer or is overloaded ({request.verb} {request.what}); it is tried again"


# -- 404 and 409 -----------------------------------------------------------------------------------------------------


def _not_found(request: Request, answer: Answer) -> errors.OperatorError:
    if answer.known and answer.about == "namespaces":
        return NamespaceTerminating(reasons.NAMESPACE_TERMINATING, f"namespace {request.namespace} is not there")
    if answer.known and request.name and request.verb != "create":
        return NotFound("NotFound", one_line(f"{request.what} is not there"))
    kind = request.kind
    message = (
        f"the cluster has no kind {kind.name} ({kind.api_version}); install its CRD, then: "
        f"kubectl get crd {kind.plural}.{kind.group}"
    )
    return MissingCRD(reasons.MISSING_CRD, one_line(message))


def _conflict(request: Request, answer: Answer) -> errors.OperatorError:
    if request.verb == "create":
        return AlreadyExists("AlreadyExists", one_line(f"{request.what} exists"))
    return Conflict("Conflict", one_line(f"{request.what} was changed by someone else in the meantime"))


# -- 403 -------------------------------------------------------------------------------------------------------------

_RBAC = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
)
_QUOTA = re.compile(
    r"exceeded quota: (?P<quota>\S+), requested: (?P<requested>.*?), used: .*?, limited: (?P<limited>.*)"
)
_QUOTA_UNSET = re.compile(r"failed quota: (?P<quota>\S+): must specify (?P<what>.*)")
_POD_SECURITY = re.compile(r'violates PodSecurity "(?P<level>[^"]*)": (?P<rules>.*)')
_ACCOUNT = re.compile(r'serviceaccount "(?P<name>[^"]+)" not found')
_DENIED = re.compile(
    r"(?:admission webhook \"(?P<hook>[^\"]+)\" denied the request(?:: | without explanation)?"
    r"|ValidatingAdmissionPolicy '(?P<policy>[^']+)' with binding '[^']*' denied request: )(?P<why>.*)",
    re.DOTALL,
)


def _forbidden(request: Request, answer: Answer) -> errors.OperatorError:
    for rule in (_terminating, _denied, _pod_security, _quota, _no_account, _no_right):
        if error := rule(request, answer):
            return error
    tail = answer.message.split(" is forbidden: ", 1)[-1]
    return errors.Retryable(reasons.FORBIDDEN, one_line(f"may not {request.verb} {request.what}: {tail}"))


def _terminating(request: Request, answer: Answer) -> errors.OperatorError | None:
    ended = any(cause.get("reason") == "NamespaceTerminating" for cause in answer.causes)
    if not ended and "because it is being terminated" not in answer.message:
        return None
    return NamespaceTerminating(reasons.NAMESPACE_TERMINATING, f"namespace {request.namespace} is being deleted")


def _denied(request: Request, answer: Answer) -> errors.OperatorError | None:
    if not (match := _DENIED.search(answer.message)):
        return None
    who = f"webhook {match['hook']}" if match["hook"] else f"policy {match['policy']}"
    why = match["why"] or "no explanation given"
    return Rejected(reasons.INVALID_SPEC, one_line(f"{request.what} is refused by {who}: {why}"))


def _pod_security(request: Request, answer: Answer) -> errors.OperatorError | None:
    if not (match := _POD_SECURITY.search(answer.message)):
        return None
    message = (
        f"namespace {request.namespace} enforces Pod Security {match['level']}, which refuses {request.what}: "
        f"{match['rules'][:260]}; allow it with: kubectl label namespace {request.namespace} "
        "pod-security.kubernetes.io/enforce=baseline --overwrite"
    )
    return errors.Stalled(reasons.POD_SECURITY_DENIED, one_line(message))


def _quota(request: Request, answer: Answer) -> errors.OperatorError | None:
    where = f"see: kubectl describe resourcequota -n {request.namespace}"
    if match := _QUOTA.search(answer.message):
        # What is used changes from try to try and would make each try a new condition.
        text = f"no room in quota {match['quota']} for {request.what} ({match['requested']}; limit {match['limited']})"
        return errors.Retryable(reasons.QUOTA_EXCEEDED, one_line(f"{text}; {where}"))
    if match := _QUOTA_UNSET.search(answer.message):
        text = f"quota {match['quota']} wants {request.what} to say {match['what']}"
        return errors.Retryable(reasons.QUOTA_EXCEEDED, one_line(f"{text}; {where}"))
    return None


def _no_account(request: Request, answer: Answer) -> errors.OperatorError | None:
    if not (match := _ACCOUNT.search(answer.message)):
        return None
    message = (
        f"service account {match['name']} is not there in namespace {request.namespace}; it is tried again, "
        f"see: kubectl get serviceaccount {match['name']} -n {request.namespace}"
    )
    return errors.Retryable(reasons.SERVICE_ACCOUNT_MISSING, one_line(message))


def _no_right(request: Request, answer: Answer) -> errors.OperatorError | None:
    if "cannot find RESTMapping" in answer.message:
        # The admission plugin behind owner references reads anew which kinds there are every 30 s.
        message = "the CRD of ModelPipeline is so new that a part of the API server does not know it yet; tried again"
        return errors.Retryable(reasons.API_UNAVAILABLE, f"{message} for about 30 s")
    if "cannot set blockOwnerDeletion" in answer.message:
        message = (
            "may not set owner references that block deletion: grant verb update on modelpipelines/finalizers "
            "(API group modelpipeline.dev) to the operator"
        )
        return errors.Retryable(reasons.FORBIDDEN, message)
    if "cannot set an ownerRef on a resource you can't delete" in answer.message:
        group = request.kind.group or '""'
        message = f"grant verb delete on {request.kind.plural} (API group {group}) to the operator"
        return errors.Retryable(reasons.FORBIDDEN, one_line(f"may not change the owner of {request.what}: {message}"))
    if not (match := _RBAC.search(answer.message)):
        return None
    group = match["group"] or '""'
    scope = f" in namespace {request.namespace}" if request.namespace else " in all namespaces"
    message = (
        f"may not {match['verb']} {match['resource']}{scope}: grant verb {match['verb']} on {match['resource']} "
        f"(API group {group}) to {match['user']}, then: kubectl auth can-i {match['verb']} {match['resource']} "
        f"--as {match['user']}" + (f" -n {request.namespace}" if request.namespace else "")
    )
    return errors.Retryable(reasons.FORBIDDEN, one_line(message))


# -- 400 and 422 -----------------------------------------------------------------------------------------------------

_STRICT = re.compile(r"strict decoding error: (?P<why>.*)", re.DOTALL)
_DECODING = re.compile(r"cannot be handled as an? \S+: (?P<why>.*)", re.DOTALL)
_GO_FIELD = re.compile(
    r"cannot unmarshal (?P<got>\S+(?: \S+)?) into Go (?:struct field (?P<field>\S+)|value) of type (?P<want>\S+)"
)
_NOT_CHECKED = "correct the existing errors to complete validation"
_GO_DUMP = re.compile(r"&?[\w./*\[\]]+\{")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _rejected(request: Request, answer: Answer) -> errors.OperatorError:
    if error := _denied(request, answer):
        return error
    if answer.code == 413:
        return Rejected(reasons.INVALID_SPEC, one_line(f"{request.what} is larger than the API server takes"))
    causes = [cause for cause in answer.causes if not str(cause.get("message")).endswith(_NOT_CHECKED)]
    why = "; ".join(dict.fromkeys(_cause(cause) for cause in causes[:4])) or _decoding(answer.message)
    return Rejected(reasons.INVALID_SPEC, one_line(f"{request.what} is refused: {why or 'no reason given'}"))


def _decoding(message: str) -> str:
    if match := _STRICT.search(message):
        return match["why"]
    why = match["why"] if (match := _DECODING.search(message)) else message
    if match := _GO_FIELD.search(why):
        field = (match["field"] or "").split(".", 1)[-1] or "the object"
        return f"{field} may not be a {match['got']} (wanted {match['want'].rsplit('.', 1)[-1]})"
    # The first line of `Kind "name" is invalid: ...` without causes, and anything else that we do not know.
    return why.split(" is invalid: ", 1)[-1]


def _cause(cause: dict[str, Any]) -> str:
    field = str(cause.get("field") or "")
    # A second line is a dump of what differs.
    message = str(cause.get("message") or cause.get("reason") or "").split("\n", 1)[0]
    for prefix in ("Invalid value: ", "Unsupported value: ", "Duplicate value: ", "Too long: ", "Too many: "):
        if message.startswith(prefix):
            message = _after_value(message[len(prefix) :]) or prefix.rstrip(": ").lower()
            break
    field = "" if field in ("", "<nil>") else field
    return f"{field}: {message}" if field else message


def _after_value(text: str) -> str:
    """Return what follows the quoted value: the value itself was sent by us and may be what nobody should read."""
    end = _end_of_value(text)
    # A rule of a CRD quotes no value: its own message stands where a value would.
    return text[end + 2 :] if text.startswith(": ", end) else text if end == 0 else ""


def _end_of_value(text: str) -> int:
    """Return where the value ends that a message starts with: JSON, a quoted string, or Go's core.PodSpec{...}."""
    if text.startswith('"'):
        return match.end() if (match := _QUOTED.match(text)) else 0
    if _GO_DUMP.match(text):
        return _end_of_dump(text)
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return 0
    return end if end == len(text) or text.startswith(": ", end) else 0


def _end_of_dump(text: str) -> int:
    depth, position = 0, 0
    while position < len(text):
        if quoted := _QUOTED.match(text, position):
            position = quoted.end()
            continue
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
        if depth == 0 and text[position - 1] == "}":
            return position
    return len(text)


# -- 429 and 5xx -----------------------------------------------------------------------------------------------------

_WEBHOOK = re.compile(r'failed calling webhook "(?P<hook>[^"]+)"')


def _unavailable(request: Request, answer: Answer) -> errors.OperatorError:
    if match := _WEBHOOK.search(answer.message):
        message = (
            f"webhook {match['hook']} does not answer, so {request.what} cannot be written; it is tried again, "
            "see: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
        )
        return errors.Retryable(reasons.WEBHOOK_UNAVAILABLE, one_line(message))
    return errors.Retryable(reasons.API_UNAVAILABLE, _away(request))
