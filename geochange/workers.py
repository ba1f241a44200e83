"""Who does the work: the model that every worker builds, and as many workers as fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from geochange.budget import Budget, block_bytes, cache_bytes, check_limit
from geochange.config import ModelOptions, RunOptions
from geochange.memory import resident_bytes
from geochange.models import ModelSpec, Prompting, class_spec, kind_of, weights_spec
from geochange.models.predict import choose_device, cores
from geochange.mosaic.schedule import Client, connect, machine_bytes, threads_of
from geochange.tasks import Work, network_bytes


def choose_model(name: str, options: ModelOptions) -> ModelSpec:
    """What every worker will build; what is measured or read is so once, here.

    Raises OptionError, InputError.
    """
    device = choose_device(options.device)
    if kind_of(name) == "class":
        return class_spec(name, device)
    prompting = Prompting(
        clip=options.clip,
        prompts=options.prompts,
        precision=options.precision,
        compiled=options.compile,
    )
    return weights_spec(name, device, prompting, options.vocabulary)


@contextmanager
def open_client(options: RunOptions, work: Work) -> Iterator[tuple[Client, Budget]]:
    """The workers of a run, as many threads of them as fit into memory, and what they will take.

    What the workers of another machine's scheduler may take is for those who started them.
    Raises OptionError.
    """
    threads = options.threads or threads_of(options.workers)
    budget = Budget(
        process=resident_bytes() + cache_bytes(work.pair),
        network=network_bytes(work),
        block=block_bytes(work.pair, work.plan, work.radiometry),
        processes=options.workers,
        threads=threads,
    )
    if options.scheduler is None:
        budget = check_limit(budget, options.max_memory, machine_bytes())
    with connect(options.scheduler, options.workers, budget.threads, cores()) as client:
        yield client, budget
