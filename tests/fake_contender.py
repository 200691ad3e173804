"""A contender of the benchmark that trains nothing: its options say what it answers."""

from bench.protocol import Problem, Train, serve


def build(spec: dict, problem: Problem) -> Train:
    """Block i takes `seconds[i]`, and its ten steps all have the loss `losses[i]`."""
    options = spec["options"]

    def train(block: int) -> tuple[float, list[float]]:
        with open(options["log"], "a") as log:
            log.write(options["name"])
        if block == options["fails_at"]:
            raise ValueError("no C++ compiler")
        return options["seconds"][block], [options["losses"][block]] * 10

    return train


if __name__ == "__main__":
    serve(build)
