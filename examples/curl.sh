#!/bin/sh
# A whole search with curl and nothing else: `sh examples/curl.sh [URL]`, of a service that runs.
set -eu
url=${1:-http://127.0.0.1:8000}

post() { # PATH BODY: the answer; curl itself repeats it while the service is away, which is harmless
    curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused \
        --header 'Content-Type: application/json' --data "$2" "$url$1"
}
field() { # NAME: the first string or number of that name; a real program would use jq
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1
}

tuner=$(post /v1/tuners '{"space": {"x": {"type": "float_range", "min": -1, "max": 1}},
    "objective": {"metric": "gain"}, "strategy": "sobol", "seed": 1, "budget": {"max_trials": 4}}' | field tuner_id)

while trial=$(post "/v1/tuners/$tuner/suggest" '{"worker": "shell"}' | tr '{}' '\n\n' | field trial_id) && [ -n "$trial" ]; do
    run=$(post /v1/runs "{\"trial_id\": \"$trial\"}")
    x=$(echo "$run" | field x)
    run=$(echo "$run" | field run_id)
    for epoch in 0 1 2; do
        gain=$(awk "BEGIN { print (1 - $x * $x) * (1 - 1 / ($epoch + 2)) }")
        post "/v1/runs/$run/epochs" "{\"epoch\": $epoch, \"metrics\": {\"gain\": $gain}}" >/dev/null
    done
    post "/v1/runs/$run/end" '{"status": "finished"}' >/dev/null
    echo "x = $x: gain $gain"
done

echo "best:"
curl --silent --show-error --fail-with-body "$url/v1/tuners/$tuner/best"
