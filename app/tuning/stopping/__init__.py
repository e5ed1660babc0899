"""The rules that end hopeless runs early: from the curves of a tuner's runs to a decision with its reason.

    registry ──┬─> none           never
               ├─> threshold      a value out of bounds, or not finite      ┐ a run by itself
               ├─> patience       no improvement for so many epochs         ┘
               ├─> median         worse than half of those that ended       ┐
               ├─> asha           not in the best part of its rung          │ a run among the others
               ├─> hyperband      an asha of each patience, by trial number ┘
               │       └─> ladder     the rungs of asha and of each bracket of hyperband
               └─> all are: stopper   what every rule is: add points, ask for a decision

All count losses, lower being better whatever the direction; what is not finite counts as infinitely bad.
Epochs are counted from 0, so that with epoch 2 a run has seen 3 epochs; options and rungs speak of epochs seen.
"""
