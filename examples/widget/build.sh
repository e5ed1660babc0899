#!/bin/sh
# Builds widget.js beside this file from widget.ts, with the client that `make sdk` has generated.
set -eu
cd "$(dirname "$0")"
ln -sfn ../../sdk/typescript sdk
mkdir -p node_modules && ln -sfn ../../../sdk/typescript node_modules/tunetrack-api
../../openapi/ts/node_modules/.bin/tsc --strict --target es2022 --module nodenext --lib es2022,dom,dom.iterable --types '' widget.ts
