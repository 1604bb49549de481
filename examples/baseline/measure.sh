#!/bin/sh
# How well a learned policy holds: learns the builds of ../npm, ../pip, ../go,
# ../cargo and ../maven from the registries that the clients are set up to use,
# repeats them as time goes by, and prints a table. Takes minutes.
set -eu
cd "$(dirname "$0")/../.."
table=$(mktemp)
trap 'rm -f "$table"' EXIT
PROXAUDIT_BASELINE_TABLE=$table go test -count=1 -timeout=30m -run '^TestBaseline' ./examples
cat "$table"
