"""All tasks, by name."""

from benchmarks.search_quality import fronts, surrogate, synthetic
from benchmarks.search_quality.problem import Instance, Task

OF_EPOCHS: dict[str, Task[Instance]] = {
    task.name: task for task in (*synthetic.GRADUAL_TASKS, *surrogate.GRADUAL_TASKS)
}
"""Those whose trials are known epoch by epoch."""

OF_SEVERAL: dict[str, Task[Instance]] = {task.name: task for task in fronts.TASKS}
"""Those of several objectives."""

TASKS: dict[str, Task[Instance]] = (
    {task.name: task for task in (*synthetic.TASKS, *surrogate.TASKS)} | OF_EPOCHS | OF_SEVERAL
)
