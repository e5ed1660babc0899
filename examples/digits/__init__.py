"""The demo: several processes tune a small neural network on scikit-learn's handwritten digits.

python -m examples.digits            starts a service, tunes against it, shows how it goes, stops it

__main__.py     starts everything, waits, stops everything, says what came of it
train.py        a worker: the trainer that you would write, over plain HTTP
processes.py    the service and the workers as processes that never outlive the demo
"""
