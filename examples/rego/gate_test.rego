package proxaudit_test

import data.proxaudit

npm := {"pid": 7, "exe": "/usr/bin/node", "argv": ["npm ci"], "parents": ["/usr/bin/bash"], "names": ["node", "bash"]}

# What npm runs for a package: sh -c "node install.js".
script := {"pid": 8, "exe": "/usr/bin/node", "argv": ["node", "install.js"], "parents": ["/bin/sh", "/usr/bin/node", "/usr/bin/bash"], "names": ["node", "sh", "node", "bash"]}

read(purl) := {
	"method": "GET", "scheme": "https", "host": "npm.example.org", "port": 443, "path": "/",
	"parsed_path": [""], "package": purl, "registry": "https://npm.example.org/", "process": npm,
}

github(method, path) := {
	"method": method, "scheme": "https", "host": "api.github.com", "port": 443, "path": path,
	"parsed_path": split(trim_left(path, "/"), "/"), "package": "", "registry": "", "process": npm,
}

rule(request) := r if r := proxaudit.decision.rule with input as request

action(request) := a if a := proxaudit.decision.action with input as request

test_locked if {
	every purl in ["pkg:npm/is-number", "pkg:npm/is-number@7.0.0", "pkg:npm/%40babel/core@7.26.0"] {
		rule(read(purl)) == "a package of the lockfile"
		action(read(purl)) == "allow"
	}
}

test_not_locked if {
	every purl in ["pkg:npm/is-numbers", "pkg:npm/is-number@7.0.1", "pkg:npm/%40babel/core@7.26.0-rc.1"] {
		rule(read(purl)) == "not in the lockfile"
		action(read(purl)) == "deny"
	}
}

test_publish if {
	request := object.union(read("pkg:npm/is-number"), {"method": "PUT"})
	rule(request) == "nothing is published"
	action(request) == "deny"
}

test_install_script if {
	request := object.union(read("pkg:npm/is-number"), {"process": script})
	rule(request) == "no network for install scripts"
	action(request) == "deny"
}

test_curl_in_an_install_script if {
	request := object.union(read(""), {"process": {"pid": 9, "exe": "/bin/sh", "argv": ["sh"], "parents": ["/usr/bin/node"], "names": ["sh", "node"]}})
	rule(request) == "no network for install scripts"
}

test_another_program if {
	request := object.union(read("pkg:npm/is-number"), {"process": object.union(npm, {"exe": "/tmp/python3", "names": ["python3", "bash"]})})
	rule(request) == "nothing allows it"
	action(request) == "deny"
}

test_unknown_process if {
	action(object.remove(read("pkg:npm/is-number"), ["process"])) == "deny"
}

test_repository if {
	rule(github("GET", "/repos/example/app/releases/latest")) == "a repository to read from"
	action(github("HEAD", "/repos/example/app")) == "allow"
}

test_another_repository if {
	every path in ["/repos/example/other", "/repos/example/app2", "/repos/example", "/user", "/gists", "/graphql", "/x/repos/example/app"] {
		action(github("GET", path)) == "deny"
	}
}

test_write_to_repository if {
	every method in ["POST", "PUT", "PATCH", "DELETE", "get"] {
		action(github(method, "/repos/example/app/contents/x")) == "deny"
	}
}
