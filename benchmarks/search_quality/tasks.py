"""All tasks, by name."""

from benchmarks.search_quality import surrogate, synthetic

OF_EPOCHS = {task.name: task for task in (*synthetic.GRADUAL_TASKS, *surrogate.GRADUAL_TASKS)}
"""Those whose trials are known epoch by epoch."""

TASKS = {task.name: task for task in (*synthetic.TASKS, *surrogate.TASKS)} | OF_EPOCHS
