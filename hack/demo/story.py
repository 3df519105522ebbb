"""The demo from beginning to end: groundwork, apply, watch, ask, what to type next; and what is told when it fails."""

import asyncio
import dataclasses
import json
import pathlib
import shlex
import time

from hack.cluster import cluster as clusters
from hack.cluster.cluster import Cluster
from hack.demo import ask, digits, faults, groundwork, kubectl, loglines, processes, release, screen, view, watch
from hack.seldon import wire

# A seven with a bar that a four could have: any good model knows it, and none is quite sure.
DIGIT = 53
LOG_LINES = 15
EVENTS = 15
AT_ONCE = 2.0  # seconds: what is Ready sooner was Ready before


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the user chose, beyond the cluster."""

    digit: int = DIGIT
    timeout: float = 900.0


def up(options: groundwork.Options, choice: Choice, show: screen.Screen) -> int:
    """Tell the whole story; 0 when the model serves and the answer is right."""
    held_out = digits.load(groundwork.EXAMPLE / "held-out.json")
    held_out.pick(choice.digit)
    show.title("Set-up")
    ground = groundwork.lay(options, show)
    show.title(f"kubectl apply -f {_short(ground.manifest)}")
    if ground.edited:
        show.block(["with your edits; delete the file to return to the example"])
    answer = kubectl.run(ground.cluster, "apply", "-f", str(ground.manifest))
    show.block(answer.splitlines())
    try:
        pipeline, waited = asyncio.run(_watch(ground, choice, show))
        _insist_on_success(pipeline)
        if "unchanged" in answer and waited < AT_ONCE:
            show.say()
            show.success(f"Nothing was done twice: run {view.run_id(pipeline)} serves this very specification.")
        right = asyncio.run(_ask(ground, pipeline, choice, show))
    except faults.DemoError as error:
        _explain(ground, error, show)
        return 1
    show.title("Time")
    show.block([times(ground, pipeline, waited)])
    _next(ground, options, pipeline, show)
    return 0 if right else 1


def question(options: groundwork.Options, choice: Choice, show: screen.Screen) -> int:
    """Ask the served model about one more digit."""
    cluster = _existing(options)
    ground = groundwork.Ground(cluster, groundwork.state_of(options.name), pathlib.Path())
    found = kubectl.run(cluster, "get", "mpl", groundwork.PIPELINE, "-n", groundwork.NAMESPACE, "-o", "json")
    return 0 if asyncio.run(_ask(ground, json.loads(found), choice, show)) else 1


def down(options: groundwork.Options, show: screen.Screen) -> int:
    """End everything that the demo started and remove what it wrote."""
    state = groundwork.state_of(options.name)
    with show.working("ending the operator, the cluster and what belongs to them"):
        ended = processes.end_all(state)
        gone = clusters.down(options.name)
        existed = groundwork.forget(state)
    what = [*ended, *(["cluster"] if gone else [])]
    show.say(f"ended: {', '.join(what)}" if what else "nothing was running" if not existed else "removed")
    return 0


async def _watch(ground: groundwork.Ground, choice: Choice, show: screen.Screen) -> tuple[view.Pipeline, float]:
    began = time.monotonic()
    latest: view.Pipeline = {}

    def heading() -> str:
        return f"run {view.run_id(latest) or '-'}, {view.duration(time.monotonic() - began)}"

    show.title("kubectl get mpl digits -w, condition by condition")
    async with wire.Wire(ground.cluster.kubeconfig) as api:
        with show.follow(heading) as conditions:

            def look(pipeline: view.Pipeline) -> None:
                latest.update(pipeline)
                conditions.show(view.rows(pipeline))

            pipeline = await watch.follow(api, look, choice.timeout)
    return pipeline, time.monotonic() - began


async def _ask(ground: groundwork.Ground, pipeline: view.Pipeline, choice: Choice, show: screen.Screen) -> bool:
    """Show one digit and what the server makes of it, then how it does on all that were held out."""
    held_out = digits.load(groundwork.EXAMPLE / "held-out.json")
    digit = held_out.pick(choice.digit)
    status = pipeline["status"]
    insist_on_honesty(status, held_out)
    where = ask.address((status.get("serving") or {}).get("url") or "")
    show.title(f"A digit that training never saw (number {choice.digit} of {len(held_out.digits)} held out)")
    async with wire.Wire(ground.cluster.kubeconfig) as api:
        answer = await ask.predict(api, where, [digit])
        others = await ask.predict(api, where, held_out.digits)
    picture = digits.picture(digit, show.shades)
    show.block(digits.beside(picture, digits.bars(answer.names, answer.rows[0], show.shades)))
    right = answer.says() == str(digit.label)
    known = sum(others.says(row) == str(each.label) for row, each in enumerate(held_out.digits))
    show.say()
    if right:
        show.success(f"The server says {answer.says()}, and {digit.label} is what was written.")
    else:
        show.failure(f"The server says {answer.says()}, but {digit.label} was written.")
    show.block(
        [f"Of all {len(held_out.digits)} held-out digits it knows {known} ({known / len(held_out.digits):.1%})."]
    )
    (ground.state / "digit.json").write_text(json.dumps(ask.payload([digit])))
    return right


def insist_on_honesty(status: view.Pipeline, held_out: digits.HeldOut) -> None:
    """Raise unless training set these digits aside: asking about any others would prove nothing."""
    reported = ((status.get("run") or {}).get("outputs") or {}).get("heldOut")
    if reported not in {None, held_out.fingerprint}:
        raise faults.DemoError(
            "training held out other digits than examples/digits/held-out.json has; write it anew: "
            "cd examples/digits/train && python3 held_out.py > ../held-out.json"
        )


def _insist_on_success(pipeline: view.Pipeline) -> None:
    if view.outcome(pipeline) is view.Outcome.FAILED:
        stalled = next(row for row in view.rows(pipeline) if row.type == "Stalled")
        raise faults.DemoError(f"{stalled.reason}: {stalled.message}")


def times(ground: groundwork.Ground, pipeline: view.Pipeline, waited: float) -> str:
    """Tell how long each phase took; steps of an earlier run took no time in this one."""
    worked = view.phases(pipeline) if waited >= AT_ONCE else []
    parts = [("set-up", ground.seconds), *worked, ("from apply to Ready", waited)]
    return ", ".join(f"{name} {view.duration(seconds)}" for name, seconds in parts)


def _explain(ground: groundwork.Ground, error: faults.DemoError, show: screen.Screen) -> None:
    """Tell what a person needs to find the cause: conditions, pods, events, the operator's log."""
    show.say()
    show.failure(str(error))
    for title, arguments in (
        ("Conditions", ("get", "mpl", groundwork.PIPELINE, "-o", f"jsonpath={_CONDITIONS}")),
        ("Pods", ("get", "pods")),
        ("Events of the pipeline", (*_EVENTS, "--field-selector=involvedObject.kind=ModelPipeline")),
        ("Warnings", (*_EVENTS, "--field-selector=type!=Normal")),
    ):
        show.title(title)
        show.block(_quietly(ground.cluster, "--namespace", groundwork.NAMESPACE, *arguments)[-EVENTS:])
    pods = ("--namespace", release.NAMESPACE)
    show.title(f"Operator (kubectl -n {release.NAMESPACE} describe pods)")
    show.block(_quietly(ground.cluster, *pods, "get", "pods"))
    show.title(f"Its log (kubectl -n {release.NAMESPACE} logs {release.DEPLOYMENT})")
    tail = _quietly(ground.cluster, *pods, "logs", release.DEPLOYMENT, f"--tail={LOG_LINES}")
    show.block([loglines.readable(line) for line in tail])
    show.title("Next")
    name = groundwork.PIPELINE
    show.block([_environment(ground.cluster.name), f"kubectl describe mpl {name}"])
    show.block([f"kubectl delete mpl {name} && make demo    # to begin anew", "make demo-down"])


_CONDITIONS = '{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\\n"}{end}'
_COLUMNS = "custom-columns=OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message"
_EVENTS = ("get", "events", "--sort-by=.lastTimestamp", "-o", _COLUMNS)


def _quietly(cluster: Cluster, *arguments: str) -> list[str]:
    """Ask kubectl while something is wrong already; what it cannot tell is no second failure."""
    try:
        return kubectl.run(cluster, *arguments).splitlines()
    except faults.DemoError as error:
        return [str(error)]


def _next(ground: groundwork.Ground, options: groundwork.Options, pipeline: view.Pipeline, show: screen.Screen) -> None:
    """Say what to type now; every line can be pasted."""
    where = ask.address(pipeline["status"]["serving"]["url"])
    service = ["-n", where.namespace, "get", "service", where.service, "-o", "jsonpath={.spec.clusterIP}"]
    host = kubectl.run(ground.cluster, *service)
    name, file = groundwork.PIPELINE, _short(ground.manifest)
    named = "" if options.name == "demo" else f" --name {options.name}"
    data = shlex.quote(f"@{ground.state / 'digit.json'}")
    show.title("Next")
    show.block(
        [
            _environment(options.name),
            "kubectl get mpl",
            f"kubectl describe mpl {name}",
            f"curl -sH 'Content-Type: application/json' -d {data} http://{host}:{where.port}{where.path}",
            f".venv/bin/python -m hack.demo ask{named} --digit 12",
            f"helm test {release.RELEASE} -n {release.NAMESPACE}",
            f"kubectl -n {release.NAMESPACE} logs {release.DEPLOYMENT}",
            "",
            f"Edit {file} (epochs: '1' is refused by the gate, and the old model serves on), then",
            f"kubectl apply -f {file} && kubectl wait mpl/{name} --for=condition=Finished --timeout=5m",
            "",
            "make demo-down",
        ]
    )


def _environment(name: str) -> str:
    return f'eval "$(.venv/bin/python -m hack.cluster env --name {name})"'


def _existing(options: groundwork.Options) -> Cluster:
    found = clusters.find(options.name)
    if not found:
        raise faults.DemoError("the demo is not up; start it: make demo")
    return found


def _short(path: pathlib.Path) -> str:
    """Write a path as a person would: from home, when it is there."""
    home = pathlib.Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
