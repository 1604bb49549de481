#!/bin/sh
# The main job on real input: learn a policy from one `npm ci` of this project,
# then hold a second one to it. Both start with an empty cache, in a folder of
# their own that is removed at the end; nothing of the checkout is changed.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd ../.. && go build -o "$work/proxaudit" ./cmd/proxaudit)
PATH=$work:$PATH
export npm_config_audit=false npm_config_fund=false npm_config_ignore_scripts=true npm_config_loglevel=error

for run in first second; do
	mkdir "$work/$run"
	cp package.json package-lock.json "$work/$run"
done

cd "$work/first"
npm_config_cache=$work/cache-1 proxaudit learn -o "$work/policy.yaml" -- npm ci
echo "learned $(grep -c ' - pkg:npm/' "$work/policy.yaml") package rules; the first lines:"
head -n 12 "$work/policy.yaml"

cd "$work/second"
npm_config_cache=$work/cache-2 proxaudit enforce -policy "$work/policy.yaml" -- npm ci
echo "the second npm ci passed under the learned policy"
