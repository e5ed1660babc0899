#!/bin/sh
# Builds widget.js beside this file from widget.ts, with the client that `make sdk` has generated, and says how to see it.
set -eu
cd "$(dirname "$0")"
test -f ../../sdk/typescript/dist/index.js || { echo "run \`make sdk\` first (it needs npm)" >&2; exit 1; }
ln -sfn ../../sdk/typescript sdk
mkdir -p node_modules && ln -sfn ../../../sdk/typescript node_modules/tunetrack-api
../../openapi/ts/node_modules/.bin/tsc -p .
cat <<'HOW'
built. To see it:
  .venv/bin/tunetrack serve --cors-origins http://127.0.0.1:8080
  python3 -m http.server --bind 127.0.0.1 --directory examples/widget 8080
  and open http://127.0.0.1:8080/?tuner=ID (&url=… where the service is elsewhere), with the ID of a tuner
HOW
