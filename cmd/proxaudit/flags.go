package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/juliendoutre/proxaudit/enforce/proxy"
)

// options are the flags of a run.
type options struct {
	policySources
	learnFlags
	output    string
	isolation string
	// allowSockets, allowUserNamespaces and publish are holes that the user asks for
	// in a jail.
	allowSockets        list
	allowUserNamespaces bool
	publish             ports
	// upstreamCA and clientCerts are for the servers outside.
	upstreamCA  list
	clientCerts list
	limits      proxy.Limits
	port        uint
	anyPort     bool // -port 0 was given
	server      bool
	caCert      string
	caKey       string
	mkcert      bool
	logHeader   bool
	logBody     bool
	failOnDeny  bool
	verbose     bool
	command     []string
}

// serverPort is where -server listens when no port is named, as it always did.
const serverPort = 8000

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ", ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// ports is a flag that takes a port and may be given several times.
type ports []uint16

func (p *ports) String() string { return fmt.Sprint(*p) }

func (p *ports) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return errors.New("not a port from 1 to 65535")
	}
	*p = append(*p, uint16(n))
	return nil
}

// parse reads the flags of a verb. The flag package takes one dash and two
// alike, and stops at "--" or at the first word that is no flag.
func parse(verb string, args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet(verb, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.StringVar(&o.output, "output", "", "")
	f.StringVar(&o.isolation, "isolation", "auto", "")
	f.Var(&o.allowSockets, "allow-socket", "")
	f.BoolVar(&o.allowUserNamespaces, "allow-user-namespaces", false, "")
	f.Var(&o.publish, "publish", "")
	f.UintVar(&o.port, "port", 0, "")
	f.BoolVar(&o.server, "server", false, "")
	f.StringVar(&o.caCert, "ca-cert", "", "")
	f.StringVar(&o.caKey, "ca-key", "", "")
	f.BoolVar(&o.mkcert, "mkcert", false, "")
	f.Var(&o.upstreamCA, "upstream-ca", "")
	f.Var(&o.clientCerts, "client-cert", "")
	limitFlags(f, &o.limits)
	f.BoolVar(&o.logHeader, "log-header", false, "")
	f.BoolVar(&o.logBody, "log-body", false, "")
	f.BoolVar(&o.verbose, "verbose", false, "")
	f.BoolVar(&o.failOnDeny, "fail-on-deny", true, "")
	if verb != "learn" {
		o.policySources.flags(f)
	} else {
		o.learnFlags.flags(f)
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, errHelp
		}
		return nil, fail(fmt.Sprintf("proxaudit help %s lists the flags; a command's own flags go behind \"--\"", verb), err)
	}
	o.command = f.Args()
	if len(o.from) > 0 {
		if err := o.recordings(f, args); err != nil {
			return nil, err
		}
	}
	f.Visit(func(given *flag.Flag) { o.anyPort = o.anyPort || given.Name == "port" && o.port == 0 })
	if o.server && o.port == 0 && !o.anyPort {
		o.port = serverPort
	}
	return o, o.check(verb)
}

// errHelp says that help was asked for.
var errHelp = errors.New("help")

// check finds flags that contradict each other or the verb.
func (o *options) check(verb string) error {
	switch {
	case o.port > 65535:
		return fail("-port takes 0 (any free one) to 65535", errors.New("port "+strconv.Itoa(int(o.port))+" does not exist"))
	case (o.caCert == "") != (o.caKey == ""):
		return fail("name both, or -mkcert to use mkcert's", errors.New("-ca-cert and -ca-key belong together"))
	case o.mkcert && o.caCert != "":
		return fail("drop one of them", errors.New("-mkcert and -ca-cert name two authorities"))
	case verb == "enforce" && len(o.policies)+len(o.lockfiles) == 0:
		return fail("proxaudit learn -o policy.yaml -- COMMAND writes one", errors.New("enforce needs a policy: -policy FILE"))
	case o.server && len(o.command) > 0:
		return fail("drop -server to run the command, or the command to run the proxy alone", errors.New("-server runs no command"))
	}
	if err := o.learnFlags.check(); err != nil {
		return err
	}
	return o.policySources.check()
}
