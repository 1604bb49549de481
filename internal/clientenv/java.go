package clientenv

import "strings"

// javaPassword is the password that Java's own trust store has. The store that
// is written has none, and Java then takes any; some libraries fail where the
// property is absent.
const javaPassword = "changeit"

// javaOptions returns the system properties that make a JVM trust the run's
// store and use the proxy. A JVM reads no proxy variables. Maven's resolver, from
// 3.9 on, looks at the properties only when it is told to.
func (in *inputs) javaOptions() string {
	var words []string
	set := func(name, value string) {
		words = append(words, quoteJava("-D"+name+"="+value))
	}
	if in.trust.JavaStore != "" {
		set("javax.net.ssl.trustStore", in.trust.JavaStore)
		set("javax.net.ssl.trustStoreType", "PKCS12")
		set("javax.net.ssl.trustStorePassword", javaPassword)
	}
	if host, port := in.proxyAddress(); host != "" && port != "" {
		for _, scheme := range []string{"http", "https"} {
			set(scheme+".proxyHost", host)
			set(scheme+".proxyPort", port)
		}
		// Java's default would leave localhost out.
		set("http.nonProxyHosts", strings.Join(javaHosts(in.direct), "|"))
		set("aether.connector.http.useSystemProperties", "true")
		set("aether.transport.apache.useSystemProperties", "true")
	}
	return strings.Join(words, " ")
}

// javaHosts writes hosts as http.nonProxyHosts wants them: IPv6 in brackets.
func javaHosts(hosts []string) []string {
	out := make([]string, 0, len(hosts))
	for _, h := range hosts {
		if strings.Contains(h, ":") {
			h = "[" + h + "]"
		}
		out = append(out, h)
	}
	return out
}

// quoteJava quotes one word of JAVA_TOOL_OPTIONS, which is split at white space
// outside quotes of either kind; nothing is escaped.
func quoteJava(word string) string {
	if !strings.ContainsAny(word, " \t'") {
		return word
	}
	return `"` + word + `"`
}

// overridesJava reports whether options say something about proxies or trust.
func overridesJava(options string) bool {
	for _, part := range []string{"proxyHost", "nonProxyHosts", "javax.net.ssl.trustStore"} {
		if strings.Contains(options, part) {
			return true
		}
	}
	return false
}

// javaProperty returns the value of a system property in options, the last one
// counting.
func javaProperty(options, name string) string {
	value := ""
	for _, word := range splitJava(options) {
		if v, ok := strings.CutPrefix(word, "-D"+name+"="); ok {
			value = v
		}
	}
	return value
}

func splitJava(options string) []string {
	var words []string
	var word strings.Builder
	quote, inWord := rune(0), false
	for _, c := range options {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}
