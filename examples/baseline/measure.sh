#!/bin/sh
# How well a learned policy holds: learns the builds of ../npm, ../pip, ../go,
# ../cargo and ../maven from the registries that the clients are set up to use,
# repeats them as time goes by, attacks them from within, and prints two tables.
# Takes minutes. No attack leaves this machine.
set -eu
cd "$(dirname "$0")/../.."
tables=$(mktemp -d)
trap 'rm -rf "$tables"' EXIT
PROXAUDIT_BASELINE_TABLE=$tables/builds PROXAUDIT_ATTACKS_TABLE=$tables/attacks \
	go test -count=1 -timeout=30m -run '^(TestBaseline|TestAttacksInsideABuild)' ./examples
cat "$tables/builds"
echo
cat "$tables/attacks"
