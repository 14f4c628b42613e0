"""`make bench`: every benchmark, as tables of ratios."""

from benchmarks import single_buy


def run() -> None:
    """Print each benchmark's table; `python -m benchmarks.statement` compares renderers."""
    print("\nSingle purchases, ours against the naive design and against pgbench\n")
    print("\n".join(single_buy.main()))


if __name__ == "__main__":
    run()
