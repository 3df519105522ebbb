"""Getting a source from git: one commit, no history, nothing of the repository executed.

Here: git's words, the check of what a user may put into them, and what git's errors mean. Every value is checked here
again, whatever the CRD's patterns say, and stands behind `--`. Elsewhere: files of secrets (credentials.py), what is
taken of the tree (source.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from modelpipeline import errors
from modelpipeline.step import process, reasons

_HOST = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_PATH = r"(?:/[-A-Za-z0-9._~%+=,!:@]+)+/?"
_URL = re.compile(
    rf"(?P<origin>https://{_HOST}(?::[0-9]{{1,5}})?){_PATH}"
    rf"|ssh://(?:[A-Za-z0-9_][-A-Za-z0-9._]*@)?{_HOST}(?::[0-9]{{1,5}})?{_PATH}"
)
_REF = re.compile(r"[A-Za-z0-9_][-._/A-Za-z0-9]{0,254}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_OF_AN_ENTRY = 512
"""What a file takes beside its content."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True, slots=True)
class Access:
    """How the server is reached: files made by credentials.py, all optional; how long, and for how much.

    `silence` is for how long a server may send next to nothing; `hide` are secrets that no message may repeat.
    """

    private: Path
    store: Path | None = None
    ssh: Path | None = None
    ca: Path | None = None
    seconds: float = 900
    silence: int = 30
    limit: int = 10 * 2**30
    hide: tuple[str, ...] = ()


def check_url(url: str) -> str:
    """Return the url's origin (https://host:port) or "" for ssh; refuse whatever is not plainly one of the two."""
    match = _URL.fullmatch(url)
    if not match or len(url) > 1024 or _CONTROL.search(unquote(url)):
        raise errors.Stalled(
            reasons.SOURCE_INVALID,
            "source.git.url must be https://host/path or ssh://user@host/path without credentials, query and control "
            "characters, for example https://git.example/digits.git",
        )
    return match["origin"] or ""


def check_ref(ref: str) -> str:
    """Return the ref; refuse what is no name of a branch or tag and no commit."""
    bad = ref and (not _REF.fullmatch(ref) or ".." in ref or "//" in ref or ref.endswith((".lock", "/", ".")))
    if bad or any(part.startswith(".") for part in ref.split("/")):
        raise errors.Stalled(
            reasons.SOURCE_INVALID,
            "source.git.ref must be a branch, a tag or a full commit: letters, digits, '-', '_', '.', '/', "
            "for example ref: main",
        )
    return ref


def clone(url: str, ref: str, into: Path, access: Access) -> str:
    """Check out one commit into a new folder and return it. `ref` empty: the repository's default branch."""
    check_url(url)
    check_ref(ref)
    run = _Git(into, access)
    into.mkdir(parents=True)
    run("init", "--quiet", "--template=")
    name = _fetch(run, url, ref)
    commit = run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").stdout.strip()
    if not _COMMIT.fullmatch(commit):
        raise errors.Stalled(reasons.REF_NOT_FOUND, f"ref {ref} of {url} is no commit; name a branch, tag or commit")
    _check_size(run, commit, url, access.limit)
    done = run("checkout", "--quiet", "--force", "--detach", commit)
    if done.code:
        raise _explain(done.stderr, url)
    return commit


def _check_size(run: _Git, commit: str, url: str, limit: int) -> None:
    """Add up what a checkout would write, before it does: a small repository can name one file a billion times."""
    left, rest = limit, b""

    def fits(chunk: bytes) -> bool:
        nonlocal left, rest
        *sizes, rest = (rest + chunk).split(b"\0")
        left -= sum(_OF_AN_ENTRY + (int(size) if size.isdigit() else 0) for size in sizes)
        return left >= 0

    done = run("ls-tree", "-r", "-z", "--full-tree", "--format=%(objectsize)", commit, take=fits)
    if left < 0:
        raise errors.Stalled(
            reasons.SOURCE_TOO_LARGE,
            f"the files of {url} are larger than workspaceSize, or there are too many: set a larger one",
        )
    if done.code:
        raise _explain(done.stderr, url)


def _fetch(run: _Git, url: str, ref: str) -> str:
    """Fetch the ref as what it can be, branch before tag as `git clone --branch` has it; return its name here."""
    if not ref:
        wanted = ["HEAD"]
    elif _COMMIT.fullmatch(ref):
        wanted = [ref]
    else:
        wanted = [f"refs/heads/{ref}", f"refs/tags/{ref}"]
    for name in wanted:
        done = run("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", url, name)
        if done.code == 0:
            return "FETCH_HEAD"
        if not _absent(done.stderr):
            raise _explain(done.stderr, url)
    if _COMMIT.fullmatch(ref):
        _fetch_all(run, url, ref)
        return ref
    what = f"no branch or tag {ref}" if ref else "no commit yet"
    raise errors.Stalled(reasons.REF_NOT_FOUND, f"{url} has {what}; see: git ls-remote {url}")


def _fetch_all(run: _Git, url: str, commit: str) -> None:
    """Fetch all branches and tags: some servers give no commit that no ref points at."""
    everything = ("+refs/heads/*:refs/remotes/all/*", "+refs/tags/*:refs/tags/*")
    done = run("fetch", "--quiet", "--no-recurse-submodules", "--", url, *everything)
    if done.code:
        raise _explain(done.stderr, url)
    if run("cat-file", "-e", f"{commit}^{{commit}}").code:
        raise errors.Stalled(
            reasons.REF_NOT_FOUND, f"{url} has no commit {commit} on any branch or tag; push it, or name another"
        )


class _Git:
    """git with nothing of the machine's, the user's or the repository's configuration that could run a program."""

    def __init__(self, folder: Path, access: Access) -> None:
        self._folder = folder
        self._access = access
        settings = {
            "core.hooksPath": "/dev/null",
            "core.fsmonitor": "false",
            "gc.auto": "0",
            # A pack is kept as it comes: it is one file then, and files are bounded.
            "fetch.unpackLimit": "1",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": str(access.silence),
            "protocol.allow": "never",
            "protocol.https.allow": "always",
            "protocol.ssh.allow": "always",
            "submodule.recurse": "false",
            # An empty helper forgets those of before; the store answers for the one origin written into it.
            "credential.helper": "",
        }
        if access.ca:
            settings["http.sslCAInfo"] = str(access.ca)
        pairs = [*settings.items()]
        if access.store:
            pairs.append(("credential.helper", f"store --file={access.store}"))
        self._settings = [word for name, value in pairs for word in ("-c", f"{name}={value}")]
        self._env = {
            "HOME": str(access.private),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": "https:ssh",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_SSH_COMMAND": f"ssh -F {access.ssh}" if access.ssh else "/bin/false",
        }

    def __call__(self, *words: str, take: Callable[[bytes], bool] | None = None) -> process.Done:
        """Run one git command in the clone."""
        argv = ["git", *self._settings, "-C", str(self._folder), *words]
        return process.run(argv, env=self._env, seconds=self._access.seconds, take=take, hide=self._access.hide)


def _absent(stderr: str) -> bool:
    signs = ("couldn't find remote ref", "not our ref", "unadvertised object", "remote error: upload-pack: not our ref")
    return any(sign in stderr for sign in signs)


_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (
        r"File too large|File size limit|No space left|[Oo]ut of memory|Cannot allocate memory|malloc failed"
        r"|said too much",
        reasons.SOURCE_TOO_LARGE,
        "the repository is larger than workspaceSize, or has more than can be held: set a larger one, or build another",
    ),
    (
        r"File name too long|unable to create (file|symlink)|invalid path",
        reasons.SOURCE_INVALID,
        "a file of the repository has a name that cannot be written: rename it",
    ),
    (
        r"certificate|SSL|TLS",
        reasons.GIT_UNREACHABLE,
        "its certificate is not trusted: put its CA under ca.crt of a ConfigMap and name it in caConfigMapName",
    ),
    (
        r"Host key verification failed|host key",
        reasons.GIT_AUTH_FAILED,
        "its host key is not in known_hosts of the Secret: add the line of ssh-keyscan, after checking it",
    ),
    (
        r"redirect|returned error: 30[0-9]",
        reasons.GIT_UNREACHABLE,
        "it redirects, which is not followed with credentials at stake: write the url that it leads to "
        "(often the same with .git)",
    ),
    (
        r"Could not resolve|Failed to connect|Couldn't connect|Connection (refused|timed out|reset)|timed out|too slow"
        r"|returned error: 5[0-9][0-9]|No route to host|Network is unreachable|early EOF|hung up unexpectedly",
        reasons.GIT_UNREACHABLE,
        "it does not answer: check the url, the network policy of this namespace and the operator's proxy setting",
    ),
    (
        r"Authentication failed|could not read (Username|Password)|returned error: (401|403|404)|not found|denied"
        r"|Permission denied",
        reasons.GIT_AUTH_FAILED,
        "no such repository, or no access to it: check the url and source.git.secretName (kubernetes.io/basic-auth for "
        "https, kubernetes.io/ssh-auth with known_hosts for ssh)",
    ),
    (
        r"does not appear to be a git repository|not valid: is this a git repository",
        reasons.GIT_AUTH_FAILED,
        "there is no git repository at this url: check source.git.url",
    ),
)


def _explain(stderr: str, url: str) -> errors.OperatorError:
    """Say what git's words mean for the user; git's own last line stays at the end."""
    lines = [line for line in stderr.splitlines() if line.startswith(("fatal:", "error:", "ssh:", "Host key"))]
    quoted = (lines or stderr.splitlines() or ["git said nothing"])[0][:160]
    for pattern, reason, meaning in _MEANINGS:
        if re.search(pattern, stderr):
            kind = errors.Retryable if reason in reasons.PASSING else errors.Stalled
            return kind(reason, f"git server of {url}: {meaning} ({quoted})")
    return errors.Retryable(reasons.GIT_UNREACHABLE, f"git cannot fetch {url}: {quoted}")
