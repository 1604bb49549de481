package main

// helpText returns the help for a verb, or for the program.
func helpText(args []string) string {
	if len(args) > 0 {
		switch args[0] {
		case "audit":
			return auditHelp + policyFlags + runFlags + limitsHelp + runNotes
		case "learn":
			return learnHelp + runFlags + limitsHelp + runNotes
		case "enforce":
			return enforceHelp + policyFlags + runFlags + limitsHelp + runNotes
		case "check":
			return checkHelp + policyFlags + checkNotes
		case "test":
			return testHelp + policyFlags + testNotes
		case "explain":
			return explainHelp + policyFlags + explainNotes
		case "score":
			return scoreHelp + policyFlags + scoreNotes
		}
	}
	return mainHelp
}

const mainHelp = `proxaudit runs a command, records each HTTP and HTTPS request it makes, and
lets a policy decide.

    proxaudit [audit] [flags] [--] COMMAND [ARG...]      record, block nothing
    proxaudit learn   [flags] [--] COMMAND [ARG...]      record, then write a policy
    proxaudit enforce -policy FILE [flags] [--] COMMAND  forward only what it allows
    proxaudit check   -policy FILE...                    validate and lint policies
    proxaudit test    -policy FILE -log events.jsonl     replay what was recorded
    proxaudit explain -policy FILE METHOD URL            which rule decides, and why
    proxaudit score   -policy FILE...                    which known attacks would pass
    proxaudit doctor                                     which isolation works here
    proxaudit help [VERB]                                a verb's flags
    proxaudit version

Learn a policy once, review it, and hold every later run to it:

    proxaudit learn -o policy.yaml -- npm ci
    proxaudit enforce -policy policy.yaml -- npm ci

Without a command, one command line is read from standard input.

Exit codes: the command's own, or 128+n when signal n ended it; 3 when it
succeeded but something was denied; 125 when proxaudit could not do its job (the
command was not started, or was killed); 126 when the command cannot be
executed; 127 when it was not found. check, test and score exit with 0 when there
is nothing to find, 1 with findings, 2 when they were called wrongly; explain with
0 or 2.
`

// policyFlags is for the verbs that take policies.
const policyFlags = `    -floor SOURCE      a policy that -policy can only narrow: what it denies or does not
                       allow stays denied; may be given several times
    -lockfile FILE     allow what this lockfile names, too, from the registries that the
                       policies name; may be given several times
    -registry TYPE=URL further registries: npm=https://npm.example.org/
    -bundle-key FILE   the public key (PEM) that must have signed every bundle
    -bundle-alg ALG    its algorithm (default: RS256 or, by curve, ES256 to ES512);
                       with HS256 to HS512 the file is the secret
    -bundle-scope NAME the scope that the signature must have
    -policy-cache DIR  keep the last good copy of each bundle from a URL, and go on
                       with it while its server cannot be reached; needs -bundle-key
`

const auditHelp = `proxaudit [audit] [flags] [--] COMMAND [ARG...]

Runs COMMAND, records every request, blocks nothing. With -policy it also says
what that policy would have denied.

    -policy FILE       a policy to compare with; may be given several times
`

const learnHelp = `proxaudit learn [flags] [--] COMMAND [ARG...]
proxaudit learn [flags] -from FILE...
proxaudit learn [flags] -lockfile FILE

Runs COMMAND, records every request, and writes a policy that allows what was
seen. The policy goes to standard output, and COMMAND's standard output to
standard error; with -o, COMMAND's standard output stays its own.

    -o FILE            write the policy to FILE, all at once, when COMMAND ended
    -from FILE         learn from a recording that -output wrote instead of running a
                       command; each is one run, and further ones may follow:
                       -from *.jsonl
    -lockfile FILE     rules for exactly the packages that this lockfile names; alone, or
                       beside a COMMAND or -from, where what the lockfile does not
                       name is marked for review; may be given several times
    -registry TYPE=URL where packages of this type come from, such as
                       npm=https://npm.example.org/, where traffic, the lockfile and
                       POLICY do not say it; may be given several times
    -merge POLICY      keep POLICY as it is, to the byte, and add what is new; the
                       result goes where a learned policy goes, and -o may be POLICY
    -diff POLICY       print a unified diff of what -merge would change, for review or
                       for patch -p0
    -fail-on-drift     with -merge or -diff: exit with 3 when COMMAND succeeded, or 1
                       with -from, and there was a request that no rule of POLICY
                       decides. Those that its block of what was not learned lists
                       are known; a rule that was not seen is no drift

Merging leaves what stands behind a rule as it is: its counts are those of the runs
that the rule was learned from. A learned rule that was not seen, or that a lockfile
no longer names, is marked "; not seen since DATE" until it is seen again; one that
was seen once, or in one run of several, is marked "; seen again on DATE" when a later
day has it too. What POLICY denies stays denied, and
is said. A COMMAND that fails marks nothing. Without a COMMAND the exit codes are 0,
1 and 125. A line says how many known attacks the policy would permit; proxaudit
score names them.
`

const enforceHelp = `proxaudit enforce -policy FILE [flags] [--] COMMAND [ARG...]

Runs COMMAND and forwards only the requests that the policy allows. With -lockfile
it may have no -policy.

    -policy FILE       a YAML allowlist, a .rego file, a folder, an OPA bundle
                       (.tar.gz) or the https URL of one; may be given several
                       times: deny beats allow beats log beats default
    -fail-on-deny=false  keep the exit code 0 of a command that succeeded though
                       something was denied
`

const checkHelp = `proxaudit check -policy FILE...

Reads policies and says each mistake in them, and what in them is likely not
meant: rules that others leave nothing to, hosts where anyone can have a place,
what is wider than it looks, dates that are over. Policies that are named
together are looked at as they combine.

    -policy FILE       a YAML allowlist, a .rego file, a folder, an OPA bundle
                       (.tar.gz) or the https URL of one; may be given several
                       times, and further ones may follow
    -format FORMAT     text (default), json, or sarif for code scanners
    -strict            notes are findings too
`

const checkNotes = `
Each finding has a name in brackets and a severity. Exit codes: 0 when there is
no error and no warning; 1 otherwise; 2 when check was called wrongly, or a file
is not there. Notes say what a policy does in so many words (plain http, raw tcp,
tls: passthrough) and change the exit code only with -strict.

    # proxaudit:ignore NAME REASON

behind a rule, or on the line above it, in YAML as in Rego, silences the findings of
that name about it. Errors cannot be silenced; a comment that silences nothing is
a finding itself.
`

const testHelp = `proxaudit test -policy FILE [-log FILE]...

Asks a policy about requests that were recorded, and says what it would decide
otherwise. Runs the tests that are kept beside the policy, too:

    policy_test.yaml   beside policy.yaml, gate.rego or the folder gate, a list of
                         - request: GET https://build.example.org/tools/cc.tgz
                           want: allow             # or deny, or log
                           rule: policy.yaml:4     # if it must be that one
                           process: /usr/bin/make  # or a list: it and its parents
                           package: pkg:npm/lodash@4.17.21
                           via: https://build.example.org/latest  # redirected to it
    *_test.rego        beside a .rego file or in a folder, as for opa test

    -policy FILE       as for enforce; may be given several times
    -log FILE          events as -output writes them, or an HTTP archive (.har) of
                       another program; may be given several times
    -against FILE      compare with this policy instead of with what was decided
                       then; may be given several times
    -format FORMAT     text (default) or json
`

const testNotes = `
Secrets are not in a log, so a condition about one is asked about REDACTED; header
fields are there where they were recorded with -log-header. What proxaudit itself
refused is no question to a policy. Exit codes: 0 when every request of the log is
decided as before and each test passes; 1 otherwise, or when the log has a line
that is none; 2 when test was called wrongly, a file cannot be read, or there was
nothing to test.
`

const explainHelp = `proxaudit explain -policy FILE METHOD URL

Says what the policy decides about one request and by which rule; which rules
came near and what kept them from matching; and what would change it. Of a Rego
policy it shows what was evaluated. Nothing is sent. tcp://host:port without a
method is raw TCP, and CONNECT https://host asks about tls: passthrough.

    -policy FILE       as for enforce; may be given several times
    -process EXE       the program that asks; further ones are its parents
    -header NAME:VALUE a header field of the request; may be given several times
    -package PURL      what package it reads, as if a registry of the policy's
                       served it
    -via URL           what redirected to it; may be given several times
`

const explainNotes = `
Exit codes: 0 when there is an answer, whatever it is; 2 when explain was called
wrongly or a policy cannot be read.
`

const scoreHelp = `proxaudit score -policy FILE...

Asks a policy about what real payloads sent to the network, and about what an
attacker who knows the policy would try next: another owner, verb or path at its
hosts, hosts that look like them, packages with a name like its own. Says which of
it would pass and by which rule; which rules let something be sent, are wider than
what they name, or were seen but once; and how much an allowlist of the same hosts
would let through. Nothing is sent.

    -policy FILE       as for enforce; may be given several times, and further ones
                       may follow
    -format FORMAT     text (default) or json
`

const scoreNotes = `
Classes: a, a host that no policy has a reason to name; b, a host that it does
name, misused; c, what nothing on the network tells from what is meant, such as a
query of a permitted GET. Exit codes: 0 when nothing of a or b is permitted; 1
otherwise; 2 when score was called wrongly or a policy cannot be read. A Rego policy
does not list its rules: it is asked, with the registries that -registry names, and
what would follow from rules is unknown.
`

const runFlags = `
    -output FILE       write events to FILE as JSON lines
    -log-header        put headers into the events, secrets redacted
    -log-body          put the first 64 KiB of bodies into the events
    -isolation HOW     how the command is confined: auto (netns on Linux, else env),
                       netns, seatbelt (macOS, untested) or env (advisory)
    -allow-socket PATH keep a Unix stream or packet socket of the host inside: a way
                       around the proxy, named in every report
    -allow-user-namespaces  let the command make user namespaces of its own, for
                       browsers and tools with a sandbox (Chromium, bwrap, buildah):
                       it sees more of the kernel; named in every report
    -publish PORT      make a server of the command reachable at 127.0.0.1:PORT
    -server            run the proxy alone, until a signal; events go to standard
                       output unless -output names a file
    -port PORT         listen on this port (default: any free one; 8000 with -server)
    -ca-cert FILE      use this certificate authority instead of a fresh one,
    -ca-key FILE       with this key
    -mkcert            use the authority that mkcert installed
    -upstream-ca FILE  trust these authorities too when verifying servers; may be
                       given several times
    -client-cert HOST=CERT,KEY  show this certificate to HOST, or HOST:PORT, when it
                       asks, and to no other; may be given several times
    -verbose           print the proxy's own diagnostics
`

const runNotes = `
What serves a Unix socket of the host acts outside, around the proxy: docker and
podman --remote ask a daemon to work for them, and so do clients of D-Bus and of
ssh-agent. A confined command is refused there, and when it fails a hint names the
socket. podman, buildah, bwrap and Chromium's sandbox work by user namespaces: they
need -allow-user-namespaces, and as root none of them gets a /proc of its own.

One dash and two dashes both work. Flags of COMMAND go behind "--".
`
