package clientenv

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// OuterProxy returns the function that says through which proxy of the outer
// environment a URL is reached, nil for none: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY
// and NO_PROXY, the lower case first, as httpproxy.FromEnvironment reads them.
// Credentials are kept. A proxy that is one of self, this program's own
// listeners as host:port, is none: a request must not come back to where it is
// from.
//
// A value that is no URL is an error of every request that needs it, and not a
// way around the proxy.
func OuterProxy(outer []string, self ...string) func(*url.URL) (*url.URL, error) {
	all := anyOf(outer, "all_proxy", "ALL_PROXY")
	c := httpproxy.Config{
		HTTPProxy:  orElse(anyOf(outer, "http_proxy", "HTTP_PROXY"), all),
		HTTPSProxy: orElse(anyOf(outer, "https_proxy", "HTTPS_PROXY"), all),
		NoProxy:    anyOf(outer, "no_proxy", "NO_PROXY"),
	}
	broken := map[string]error{"http": validProxy(c.HTTPProxy), "https": validProxy(c.HTTPSProxy)}
	for scheme, p := range map[string]*string{"http": &c.HTTPProxy, "https": &c.HTTPSProxy} {
		if broken[scheme] != nil {
			// Something that parses, so that NO_PROXY still says where no proxy
			// is needed.
			*p = "http://none.invalid"
		}
	}
	choose := c.ProxyFunc()
	return func(u *url.URL) (*url.URL, error) {
		proxy, err := choose(u)
		if err != nil || proxy == nil {
			return nil, err
		}
		if err := broken[u.Scheme]; err != nil {
			return nil, err
		}
		for _, s := range self {
			if isSelf(proxy, s) {
				return nil, nil
			}
		}
		return proxy, nil
	}
}

// validProxy returns an error that holds nothing of the value: it may hold a
// password.
func validProxy(value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" {
		// A bare host:port is meant as http, as httpproxy has it.
		u, err = url.Parse("http://" + value)
	}
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("the proxy that the environment names is not a URL")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return nil
	}
	return fmt.Errorf("the proxy that the environment names has the scheme %q: want http, https or socks5", u.Scheme)
}

// isSelf reports whether proxy is at the address self. Every loopback name and
// address counts as the same host.
func isSelf(proxy *url.URL, self string) bool {
	host, port, err := net.SplitHostPort(self)
	if err != nil || port != proxyPort(proxy) {
		return false
	}
	return strings.EqualFold(host, proxy.Hostname()) || isLoopback(host) && isLoopback(proxy.Hostname())
}

func proxyPort(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	case u.Scheme == "socks5" || u.Scheme == "socks5h":
		return "1080"
	default:
		return "80"
	}
}

func isLoopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified())
}

func anyOf(env []string, names ...string) string {
	for _, n := range names {
		if v := lookup(env, n); v != "" {
			return v
		}
	}
	return ""
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
