package learn

// about says, for each kind of what is not learned, what it is and what to do.
var about = [kinds][2]string{
	kindMetadata: {"Cloud metadata services, which hand out credentials",
		"find out what asked; only a rule whose networks name the very address opens one"},
	kindExfiltration: {"Services that take in whatever is sent to them",
		"find out what asked before you run it again"},
	kindDNS: {"DNS over HTTPS or TLS, by which names are looked up that no policy sees",
		"turn it off in the client"},
	kindDenied: {"Denied",
		"add a rule by hand where the request is right"},
	kindFailed: {"Failed, so nothing shows that the build needs them",
		"learn again when they work, or add a rule by hand"},
	kindUDP: {"UDP",
		"have the client use TCP: QUIC falls back by itself"},
	kindOdd: {"Requests that no rule can name",
		"find out what sends them"},
	kindElsewhere: {"Named by a lockfile, and no package of a registry",
		"move what you would sign under allow:, without its \"# \"; a repository is open in all its commits, then, for no request line of git names one"},
	kindSdist: {"Built from source where they are installed, with packages that no lockfile names",
		"learn from a build, with -lockfile and the command, or allow what their pyproject.toml asks for under build-system.requires, such as pkg:pypi/setuptools"},
}

const (
	notLearned      = "# Not learned:"
	endOfNotLearned = "# (end of what was not learned)"
)

// maxLeft bounds what is listed of each kind but of what lockfiles name elsewhere:
// a reader is to choose from the whole of that, and lockfile has a bound for it.
const maxLeft = 50

// left lists what was not learned, as comments. The first and the last line tell
// who merges policies where the block begins and ends.
func (p *printer) left(d *draft) {
	first := true
	for kind, lines := range d.left {
		if len(lines) == 0 {
			continue
		}
		if first {
			p.linef("")
			p.linef(notLearned)
			first = false
		}
		p.linef("#")
		p.linef("# %s: %s.", about[kind][0], about[kind][1])
		for i, line := range lines {
			if i == maxLeft && kind != kindElsewhere {
				p.linef("#   and %d more", len(lines)-i)
				break
			}
			words := shorten(plain(line.why))
			if line.requests > 0 {
				words = count(line.requests, "request") + ": " + words
			}
			p.linef("#   %s  (%s)", leftText(line.text), words)
			for _, rule := range line.proposed {
				p.linef("#   - %s", rule)
			}
		}
	}
	if !first {
		p.linef(endOfNotLearned)
	}
}

// leftText is how a request is listed.
func leftText(request string) string { return shorten(plain(request)) }
