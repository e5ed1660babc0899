"""The strategies that exist, by name."""

from app.domain.errors import UnknownStrategy
from app.tuning.auto import Auto
from app.tuning.cma_es import CmaEs
from app.tuning.gp import Gp
from app.tuning.grid import Grid
from app.tuning.nsga2 import Nsga2
from app.tuning.random import Random
from app.tuning.sobol import Sobol
from app.tuning.strategy import Strategy
from app.tuning.tpe import TPE

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.key: strategy for strategy in (Auto, Random, Grid, Sobol, TPE, Gp, CmaEs, Nsga2)
}

_BY_NAME = {name: strategy for strategy in STRATEGIES.values() for name in (strategy.key, *strategy.aliases)}


def add(kind: type[Strategy]) -> None:
    """One more strategy.

    Raises:
        ValueError: its name or an alias is taken.
    """
    names = (kind.key, *kind.aliases)
    taken = [name for name in names if name in _BY_NAME]
    if taken:
        raise ValueError(f"there is a strategy {taken[0]} already")
    STRATEGIES[kind.key] = kind
    _BY_NAME.update(dict.fromkeys(names, kind))


def find(name: str) -> type[Strategy]:
    """The strategy of this name or alias, in whatever case.

    Raises:
        UnknownStrategy: there is none.
    """
    strategy = _BY_NAME.get(name.lower())
    if strategy is None:
        raise UnknownStrategy(name, known=list(STRATEGIES))
    return strategy
