"""A trainer with httpx and nothing else: `python examples/plain.py [URL]`, of a service that runs."""

import sys

import httpx

url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
api = httpx.Client(base_url=url, event_hooks={"response": [httpx.Response.raise_for_status]})
space = {"x": {"type": "float_range", "min": -2, "max": 2}, "square": {"type": "flag"}}
body = {"space": space, "objective": {"metric": "gain"}, "stopper": {"type": "asha"}, "budget": {"max_trials": 20}}
tuner = "/v1/tuners/" + api.post("/v1/tuners", json=body).json()["tuner_id"]

while trials := api.post(f"{tuner}/suggest", json={"worker": "laptop"}).json()["trials"]:
    run = api.post("/v1/runs", json={"trial_id": trials[0]["trial_id"]}).json()
    x = run["params"]["x"] ** (2 if run["params"]["square"] else 1)  # a model would be built here
    status, metrics = "finished", {}
    for epoch in range(9):  # and trained here
        metrics = {"gain": x - 1 / (epoch + 1)}
        answer = api.post(f"/v1/runs/{run['run_id']}/epochs", json={"epoch": epoch, "metrics": metrics}).json()
        if answer["should_stop"]:
            status = "stopped"
            break
    api.post(f"/v1/runs/{run['run_id']}/end", json={"status": status})
    print(f"trial {trials[0]['number']} {status}, gain {metrics['gain']:.3f}")

best = api.get(tuner).json()["best"]
print(f"best: {best['params']}, gain {best['score']:.3f}")
