"""A contender of the benchmark that trains nothing: its options say what it answers."""

from pathlib import Path

from report.bench.protocol import Make, Problem, serve


def build(spec: dict, problem: Problem) -> Make:
    """Block i takes `seconds[i]`, and its ten steps all have the loss `losses[i]`.

    A second process of the same name takes twice as long.
    """
    options = spec["options"]
    slower = 1 + first_exists(Path(f"{options['log']}-{options['name']}"))

    def train(block: int) -> tuple[float, list[float]]:
        with open(options["log"], "a") as log:
            log.write(options["name"])
        if block == options["fails_at"]:
            raise ValueError("no C++ compiler")
        return slower * options["seconds"][block], [options["losses"][block]] * 10

    return lambda norm: train


def first_exists(file: Path) -> bool:
    """Whether another process was here first."""
    try:
        file.touch(exist_ok=False)
    except FileExistsError:
        return True
    return False


if __name__ == "__main__":
    serve(build)
