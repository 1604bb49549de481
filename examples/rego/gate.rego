# METADATA
# title: A gate for CI
# description: |
#   What a build may reach: the packages that its lockfile names, for the package
#   manager alone, and repositories to read from. Nothing is published.
#
#   data.json is made from the lockfile:
#
#     node lock.mjs package-lock.json example/app > data.json
#
#   A YAML policy beside this one names the registry: without that, input.package
#   is empty. Which process asks is evidence, not proof; what holds without it is
#   that a package is locked.
package proxaudit

# From top to bottom, the first that applies: what no install script gets, what is
# allowed, then why not.
decision := {
	"action": "deny",
	"rule": "no network for install scripts",
	"reason": sprintf("%s runs below a shell that a package manager started", [input.process.exe]),
} if {
	# A script that a package brings runs below a shell that the package manager
	# started, and needs no network once everything is fetched.
	some i, name in input.process.names
	name in {"bash", "dash", "sh"}
	input.process.names[i + 1] in {"node", "npm"}
} else := {
	"action": "allow",
	"rule": "a package of the lockfile",
} if {
	data.locked[input.package]
	input.method in {"GET", "HEAD"}
	input.process.names[0] in {"node", "npm"}
} else := {
	"action": "allow",
	"rule": "a repository to read from",
} if {
	input.host == "api.github.com"
	input.scheme == "https"
	input.method in {"GET", "HEAD"}
	input.parsed_path[0] == "repos"
	data.repositories[input.parsed_path[1]][input.parsed_path[2]]
} else := {
	"action": "deny",
	"rule": "nothing is published",
	"reason": sprintf("%s does not read %s", [input.method, input.package]),
} if {
	input.package != ""
	not input.method in {"GET", "HEAD"}
} else := {
	"action": "deny",
	"rule": "not in the lockfile",
	"reason": sprintf("%s: install it, commit the lockfile, and make data.json anew", [input.package]),
} if {
	input.package != ""
	not data.locked[input.package]
} else := {
	"action": "deny",
	"rule": "nothing allows it",
	"reason": "it is no package of the lockfile for a package manager, and no repository that is named",
}
