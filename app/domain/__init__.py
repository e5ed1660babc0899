"""The words and the rules: space, values, states, events, errors.

Standard library only; imports nothing else of this project.
"""
