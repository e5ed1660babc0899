"""Which parameters matter."""

import httpx

from tests.calls import answer, create_tuner, problem, report

SPACE = {
    "much": {"type": "float_range", "min": 0, "max": 1},
    "little": {"type": "float_range", "min": 0, "max": 1},
}


def test_the_parameter_that_moves_the_score_has_most_of_its_variance(client: httpx.Client) -> None:
    tuner = create_tuner(client, space=SPACE)
    path = f"/v1/tuners/{tuner['tuner_id']}/importance"
    assert answer(client.get(path)) == {"importance": {}, "trials": 0, "by_metric": {"score": {}}}
    for i in range(30):
        params = {"much": (i * 7 % 30) / 29, "little": i / 29}
        report(client, tuner, params=params, score=5 * params["much"] + params["little"])
    found = answer(client.get(path))
    assert found["trials"] == 30
    assert list(found["importance"]) == ["much", "little"]
    assert found["by_metric"] == {"score": found["importance"]}
    assert found["importance"]["much"] > 0.8
    assert abs(sum(found["importance"].values()) - 1) < 1e-9


def test_of_several_objectives_each_has_its_own(client: httpx.Client) -> None:
    objectives = [{"metric": "loss", "direction": "minimize"}, {"metric": "size", "direction": "maximize"}]
    tuner = create_tuner(client, space=SPACE, objectives=objectives)
    path = f"/v1/tuners/{tuner['tuner_id']}/importance"
    assert answer(client.get(path)) == {"importance": {}, "trials": 0, "by_metric": {"loss": {}, "size": {}}}
    for i in range(30):
        params = {"much": (i * 7 % 30) / 29, "little": i / 29}
        report(client, tuner, params=params, scores={"loss": params["much"], "size": params["little"]})
    found = answer(client.get(path))
    assert found["by_metric"]["loss"]["much"] > 0.9
    assert found["by_metric"]["size"]["little"] > 0.9
    assert abs(found["importance"]["much"] - 0.5) < 0.05


def test_there_is_no_importance_of_an_unknown_tuner(client: httpx.Client) -> None:
    problem(client.get("/v1/tuners/no-such-tuner/importance"), 404, "unknown-tuner")
