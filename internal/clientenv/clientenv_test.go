package clientenv

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testProxy = "http://127.0.0.1:8000"

var testTrust = Trust{Bundle: "/run/bundle.pem", Dir: "/run/certs", JavaStore: "/run/roots.p12", AptConfig: "/run/apt.conf", Wgetrc: "/run/wgetrc", PHPIni: "/run/php"}

// vars returns env as a map, and fails for a name that is there twice.
func vars(t *testing.T, env []string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if _, twice := m[name]; twice {
			t.Errorf("%s is set twice", name)
		}
		m[name] = value
	}
	return m
}

const (
	javaTrust = "-Djavax.net.ssl.trustStore=/run/roots.p12 -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword=changeit"
	javaProxy = "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=8000 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=8000"
	javaRest  = "-Daether.connector.http.useSystemProperties=true -Daether.transport.apache.useSystemProperties=true"
	javaAll   = javaTrust + " " + javaProxy + " -Dhttp.nonProxyHosts= " + javaRest
)

// TestEveryVariable says what each variable is in an empty environment. A row
// of the table without a line here fails.
func TestEveryVariable(t *testing.T) {
	want := map[string]string{
		"SSL_CERT_DIR": "/run/certs", "SYSTEM_WGETRC": "/run/wgetrc", "APT_CONFIG": "/run/apt.conf", "PHP_INI_SCAN_DIR": string(listSeparator) + "/run/php",
		"NO_PROXY": "", "no_proxy": "", "npm_config_noproxy": "none.invalid",
		"NODE_USE_ENV_PROXY": "1", "ELECTRON_GET_USE_PROXY": "1",
		"JAVA_TOOL_OPTIONS": javaAll, "GRADLE_OPTS": "-Dorg.gradle.daemon=false",
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.proxy", "GIT_CONFIG_VALUE_0": testProxy,
	}
	if dir := systemCertDir(); dir != "" {
		want["SSL_CERT_DIR"] += string(listSeparator) + dir
	}
	for _, name := range []string{
		"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "npm_config_cafile", "DENO_CERT", "PIP_CERT",
		"REQUESTS_CA_BUNDLE", "HTTPLIB2_CA_CERTS", "CONDA_SSL_VERIFY", "CONAN_CACERT_PATH", "CARGO_HTTP_CAINFO", "CURL_CA_BUNDLE",
		"GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "NIX_SSL_CERT_FILE", "HEX_CACERTS_PATH",
		"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "BUNDLE_SSL_CA_CERT", "COMPOSER_CAFILE", "PERL_LWP_SSL_CA_FILE", "JULIA_SSL_CA_ROOTS_PATH",
	} {
		want[name] = "/run/bundle.pem"
	}
	for _, name := range []string{
		"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "npm_config_proxy",
		"npm_config_https_proxy", "YARN_HTTP_PROXY", "YARN_HTTPS_PROXY", "PIP_PROXY", "CARGO_HTTP_PROXY",
	} {
		want[name] = testProxy
	}
	if d := cmp.Diff(want, vars(t, Environ(nil, testProxy, testTrust))); d != "" {
		t.Errorf("environment (-want +got):\n%s", d)
	}
}

// TestYarn: a variable that a yarn does not know ends it, so that each is there only
// where settings show which yarn it is, and that it needs one.
func TestYarn(t *testing.T) {
	const both = "YARN_HTTPS_CA_FILE_PATH YARN_CA_FILE_PATH"
	for _, tt := range []struct {
		name, home, project, outer string
		want                       string
	}{
		{name: "nothing named"},
		{name: "yarn 4 in the project", project: "httpsCaFilePath: ./corp.pem\n", want: "YARN_HTTPS_CA_FILE_PATH"},
		{name: "yarn 3 in the project", project: "nodeLinker: pnp\ncaFilePath: ./corp.pem\n", want: "YARN_CA_FILE_PATH"},
		{name: "yarn 4 at home", home: "httpsCaFilePath: \"/corp.pem\"\n", want: "YARN_HTTPS_CA_FILE_PATH"},
		{name: "named by the environment", outer: "YARN_HTTPS_CA_FILE_PATH=/corp.pem", want: "YARN_HTTPS_CA_FILE_PATH"},
		{name: "commented out", project: "# httpsCaFilePath: x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home, project := t.TempDir(), t.TempDir()
			below := filepath.Join(project, "packages", "a")
			if err := os.MkdirAll(below, 0o755); err != nil {
				t.Fatal(err)
			}
			for dir, text := range map[string]string{home: tt.home, project: tt.project} {
				if err := os.WriteFile(filepath.Join(dir, yarnrc), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(below)
			got := vars(t, Environ([]string{"HOME=" + home, tt.outer}, "", testTrust))
			for name := range strings.FieldsSeq(both) {
				if value, set := got[name]; set != (name == tt.want) || set && value != "/run/bundle.pem" {
					t.Errorf("%s=%q (set: %v), want %q alone, with the bundle", name, value, set, tt.want)
				}
			}
		})
	}
}

func TestTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range table() {
		if r.name == "" || r.kind == 0 || r.clients == "" || r.source == "" {
			t.Errorf("%+v lacks a field", r)
		}
		if seen[r.name] {
			t.Errorf("%s has two rows", r.name)
		}
		seen[r.name] = true
	}
}

func TestEnvironBuildsOnOuter(t *testing.T) {
	for _, tt := range []struct {
		name  string
		outer []string
		want  map[string]string // "" for absent; other variables are not looked at
	}{
		{"what is not ours stays", []string{"PATH=/bin", "ODD", "EMPTY="}, map[string]string{"PATH": "/bin"}},
		{"files are replaced: the bundle holds what they held", []string{"SSL_CERT_FILE=/outer.pem"}, map[string]string{"SSL_CERT_FILE": "/run/bundle.pem"}},
		{"directories are kept behind ours", []string{"SSL_CERT_DIR=/a:/b"}, map[string]string{"SSL_CERT_DIR": "/run/certs:/a:/b"}},
		{"outer's NO_PROXY would be a hole", []string{"NO_PROXY=*", "no_proxy=ok.test"}, map[string]string{"NO_PROXY": "-", "no_proxy": "-"}},
		{"outer's proxy is for us", []string{"https_proxy=http://u:p@proxy.test:3128"}, map[string]string{"https_proxy": testProxy}},
		{"npm reads any case", []string{"NPM_CONFIG_CAFILE=/x", "Npm_Config_Https-Proxy=http://x"}, map[string]string{"NPM_CONFIG_CAFILE": "", "Npm_Config_Https-Proxy": "", "npm_config_cafile": "/run/bundle.pem"}},
		{"java options are added to", []string{"JAVA_TOOL_OPTIONS=-Xmx1g"}, map[string]string{"JAVA_TOOL_OPTIONS": "-Xmx1g " + javaAll}},
		{"maven options that name a proxy are overridden", []string{"MAVEN_OPTS=-Dhttps.proxyHost=proxy.test"}, map[string]string{"MAVEN_OPTS": "-Dhttps.proxyHost=proxy.test " + javaAll}},
		{"gradle options that name a store too", []string{"GRADLE_OPTS=-Djavax.net.ssl.trustStore=/x"}, map[string]string{"GRADLE_OPTS": "-Djavax.net.ssl.trustStore=/x " + javaAll + " -Dorg.gradle.daemon=false"}},
		{"other maven options are left alone", []string{"MAVEN_OPTS=-Xmx1g"}, map[string]string{"MAVEN_OPTS": "-Xmx1g"}},
		{"git settings are added to", []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=c"}, map[string]string{"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c", "GIT_CONFIG_KEY_1": "http.proxy"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := vars(t, Environ(tt.outer, testProxy, testTrust))
			for name, want := range tt.want {
				value, set := got[name]
				switch want {
				case "":
					if set {
						t.Errorf("%s=%q is still there", name, value)
					}
				case "-":
					if !set || value != "" {
						t.Errorf("%s=%q (set: %v), want it set and empty", name, value, set)
					}
				default:
					if value != want {
						t.Errorf("%s=%q, want %q", name, value, want)
					}
				}
			}
		})
	}
}

func TestEnvironWithoutTrustOrProxy(t *testing.T) {
	outer := []string{"PATH=/bin", "SSL_CERT_FILE=/outer.pem", "APT_CONFIG=/apt", "JAVA_TOOL_OPTIONS=-Xmx1g", "HTTPS_PROXY=http://proxy.test:3128", "NO_PROXY=x", "npm_config_proxy=http://x"}
	want := map[string]string{"PATH": "/bin", "SSL_CERT_FILE": "/outer.pem", "APT_CONFIG": "/apt", "JAVA_TOOL_OPTIONS": "-Xmx1g", "GRADLE_OPTS": "-Dorg.gradle.daemon=false"}
	if d := cmp.Diff(want, vars(t, Environ(outer, "", Trust{}))); d != "" {
		t.Errorf("environment (-want +got):\n%s", d)
	}
	got := vars(t, Environ(nil, "", testTrust))
	if got["JAVA_TOOL_OPTIONS"] != javaTrust || slices.Contains(slices.Collect(maps.Keys(got)), "HTTPS_PROXY") {
		t.Errorf("with trust alone: %v", got)
	}
}

func TestEnvironDirect(t *testing.T) {
	got := vars(t, Environ(nil, testProxy, testTrust, Loopback()...))
	for name, want := range map[string]string{
		"NO_PROXY": "localhost,127.0.0.1,::1", "no_proxy": "localhost,127.0.0.1,::1", "npm_config_noproxy": "localhost,127.0.0.1,::1,none.invalid",
	} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
	}
	if want := "-Dhttp.nonProxyHosts=localhost|127.0.0.1|[::1]"; !strings.Contains(got["JAVA_TOOL_OPTIONS"], want) {
		t.Errorf("JAVA_TOOL_OPTIONS=%q, want %s in it", got["JAVA_TOOL_OPTIONS"], want)
	}
}

func TestJavaOptionsAreQuoted(t *testing.T) {
	path := "/tmp/a b/it's.p12"
	got := vars(t, Environ(nil, "", Trust{JavaStore: path}))["JAVA_TOOL_OPTIONS"]
	if back := javaProperty(got, "javax.net.ssl.trustStore"); back != path {
		t.Errorf("%q is read as %q", got, back)
	}
	for options, want := range map[string][]string{
		"":                 {},
		" -a  -b ":         {"-a", "-b"},
		`-D"x=y z" '-q "'`: {"-Dx=y z", `-q "`},
		`""`:               {""},
	} {
		if got := splitJava(options); !slices.Equal(got, want) {
			t.Errorf("splitJava(%q) = %q, want %q", options, got, want)
		}
	}
}
