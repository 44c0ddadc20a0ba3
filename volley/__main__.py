"""The command line's root: the only file of this package that may import producer and worker."""

from producer.cli.app import build, run


def _run_worker() -> int:
    from volley.signals import Hush

    hush = Hush()
    from volley.logs import start_logging
    from volley.settings import load
    from worker.main import run as run_worker

    settings = load()
    start_logging("worker", settings)
    return run_worker(settings, hush)


def main() -> None:
    run(build(_run_worker))


if __name__ == "__main__":
    main()
