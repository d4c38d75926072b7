"""What kubelet, containerd, the scheduler and admission say when a pod can't run: one table, so that all name it alike.

The texts were seen on real nodes with containerd 1.6 and 2.3 (facts real-cluster.md, 6) unless a source is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Saying:
    """A known text.

    Attributes:
        code: A stable word for it.
        pattern: What is found in the text; its groups are kept.
        words: What it means, in one clause; `{group}` stands for what was found.
    """

    code: str
    pattern: re.Pattern[str]
    words: str


@dataclass(frozen=True)
class Heard:
    """A text that was recognised: the saying's code, its words with what was found filled in, and what was found."""

    code: str
    message: str
    found: Mapping[str, str] = field(default_factory=dict)


def hear(text: str) -> Heard | None:
    """Return what a text means; None when it is not in the table."""
    for saying in SAYINGS:
        match = saying.pattern.search(text)
        if match is not None:
            found = {name: value for name, value in match.groupdict().items() if value}
            return Heard(saying.code, saying.words.format_map(_Found(found)), found)
    return None


class _Found(dict[str, str]):
    """What was found; a group that took no part in the match reads as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def _saying(code: str, pattern: str, words: str) -> Saying:
    return Saying(code, re.compile(pattern, re.IGNORECASE | re.DOTALL), words)


# The most telling first: several of these texts end in the same ": not found".
SAYINGS = (
    _saying(
        "NoRuntime",
        r'no runtime for "(?P<handler>[^"]+)" is configured',
        "its node has no runtime for the handler `{handler}`",
    ),
    _saying(
        "NoShimBinary",
        # The second form is what containerd 1.7 says where runtime_type is a path.
        r'binary not installed "(?P<binary>[^"]+)"|fork/exec (?P<path>\S*containerd-shim-[\w.-]+): no such file',
        "its node lacks the shim's binary `{binary}`",
    ),
    _saying(
        "ShimWrongArchitecture",
        r"(?P<binary>containerd-shim-[\w.-]+)\W{0,3}: exec format error",
        "the shim's binary `{binary}` is for another architecture than its node",
    ),
    _saying(
        "ShimOptionsInvalid", r"invalid shim options", "its node's containerd gives the shim options that it refuses"
    ),
    _saying(
        # rancher-desktop PR#10524, containerd docs/cri/config.md: use_local_image_pull.
        "ImageNotUnpacked",
        r"parent snapshot (?P<snapshot>\S+) does not exist",
        "its node's containerd did not unpack the image: from 2.1 on it leaves images for `wasi/wasm` as they are",
    ),
    _saying(
        # containerd-wasm-shims#211, runwasi#722.
        "NoMatchForPlatform",
        r"no match for platform",
        "the image has nothing for its node's platform",
    ),
    _saying(
        # kind#3795: `kind load docker-image` of one platform of an image for many.
        "ContentMissing",
        r"content digest (?P<digest>sha256:[0-9a-f]+): not found",
        "the image was loaded into its node without all of its content",
    ),
    _saying(
        "RegistryDenied",
        r"\b401 Unauthorized|\b403 Forbidden|failed to authorize|insufficient_scope|pull access denied"
        r"|authorization failed|no basic auth credentials|unauthorized: ",
        "the registry does not let its node pull the image",
    ),
    _saying(
        "RegistryUnreachable",
        r"no such host|i/o timeout|connect: connection refused.*/v2/|/v2/.*connection refused|TLS handshake timeout"
        r"|x509: ",
        "its node cannot reach the registry",
    ),
    _saying(
        "ExecUnsupported",
        r"Task/Exec is not supported|exec is not supported",
        "the shim runs no second process: `kubectl exec`, exec probes and hooks cannot work in Wasm pods",
    ),
    _saying(
        "ExecFormatError",
        r"exec (?P<file>[^\s:]+): exec format error|exec format error",
        "its node's processor cannot run `{file}`",
    ),
    _saying(
        # wasmtime's linker, for an interface or a version of it that the shim does not have.
        "AppNewerThanShim",
        r"component imports instance `(?P<interface>[^`]+)`, but a matching implementation"
        r"|unknown import: `(?P<name>[^`]+)` has not been defined"
        r"|(?P<manifest>(?:unsupported|unknown|invalid)[^.\n]{0,40}manifest[ _]version[^.\n]{0,20})",
        "the application wants more than its shim has",
    ),
    _saying(
        # runwasi's shims, for an entrypoint that is no module and no program either.
        "ImageNotForShim",
        r"executor can't handle spec",
        "the shim finds nothing in the image that it can run",
    ),
    _saying(
        "WasmTrap",
        r"wasm trap: (?P<trap>[^\n]+)|error while executing at wasm backtrace",
        "the module trapped",
    ),
    _saying(
        "RuntimeClassMissing",
        r'RuntimeClass "(?P<name>[^"]+)" not found',
        "there is no RuntimeClass `{name}`",
    ),
    _saying(
        "PodSecurityDenied",
        r'violates PodSecurity "(?P<level>[^":]+)[^"]*": (?P<what>.+)',
        "Pod Security denies it at the level `{level}`",
    ),
    _saying(
        # AKS deployment safeguards (Azure Policy, or ValidatingAdmissionPolicy on AKS Automatic).
        "PolicyDenied",
        r"admission webhook \"validation\.gatekeeper\.sh\" denied the request: (?P<what>.+)"
        r"|ValidatingAdmissionPolicy '(?P<policy>[^']+)'.*denied request",
        "a policy of the cluster denies it",
    ),
    _saying(
        "ContainerdDown",
        r"containerd\.sock: connect: (?:connection refused|no such file)|container runtime is down",
        "its node's containerd does not answer",
    ),
)
