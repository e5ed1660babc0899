"""All tasks, by name."""

from benchmarks.search_quality import surrogate, synthetic

TASKS = {task.name: task for task in (*synthetic.TASKS, *surrogate.TASKS)}
