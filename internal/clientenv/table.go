package clientenv

// kind says what the value of a variable is.
type kind uint8

const (
	bundleFile     kind = iota + 1 // Trust.Bundle
	yarnFile                       // Trust.Bundle, where yarn's own settings name a file
	certDirs                       // Trust.Dir and the directories there were
	aptConfig                      // Trust.AptConfig
	wgetrc                         // Trust.Wgetrc
	phpIni                         // Trust.PHPIni and the directories there were
	javaOptions                    // system properties: trust store and proxy
	javaOverride                   // the same, where outer sets some of them
	gradleOptions                  // no daemon
	proxyURL                       // the proxy
	gitProxy                       // one more git setting: http.proxy
	directHosts                    // hosts reached without the proxy
	directHostsNPM                 // the same, never empty
	switchedOn                     // 1
)

// row is one variable.
type row struct {
	name    string
	kind    kind
	clients string
	// source is where the variable is documented.
	source string
}

// table returns every variable that is set. A new client is a new row.
func table() []row { //nolint:funlen // a line a variable
	return []row{
		{"SSL_CERT_FILE", bundleFile, "OpenSSL: python, ruby, php, wget; Go; .NET; rustls-native-certs: uv, rustup; curl, helm, terraform, gh", "openssl-env(7); Go crypto/x509 SystemCertPool"},
		{"SSL_CERT_DIR", certDirs, "OpenSSL, Go, .NET, rustls-native-certs", "openssl-env(7); openssl-rehash(1)"},
		{"NODE_EXTRA_CA_CERTS", bundleFile, "node, npm, yarn, pnpm, bun, playwright", "https://nodejs.org/api/cli.html#node_extra_ca_certsfile"},
		{"npm_config_cafile", bundleFile, "npm, pnpm, yarn 1: wins over any npmrc", "npm-config(7), cafile"},
		{"YARN_HTTPS_CA_FILE_PATH", yarnFile, "yarn 4, where a .yarnrc.yml says httpsCaFilePath", "yarnrc.yml, httpsCaFilePath"},
		{"YARN_CA_FILE_PATH", yarnFile, "yarn 2 and 3, where a .yarnrc.yml says caFilePath", "yarnrc.yml of yarn 3, caFilePath"},
		{"DENO_CERT", bundleFile, "deno", "https://docs.deno.com/runtime/reference/env_variables/"},
		{"PIP_CERT", bundleFile, "pip: wins over any pip.conf", "https://pip.pypa.io/en/stable/cli/pip/#cmdoption-cert"},
		{"REQUESTS_CA_BUNDLE", bundleFile, "python requests: pip, poetry, pipx, conda, conan, az", "https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification"},
		{"HTTPLIB2_CA_CERTS", bundleFile, "python httplib2: gsutil", "httplib2/certs.py"},
		{"CONDA_SSL_VERIFY", bundleFile, "conda: wins over any condarc", "https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html"},
		{"CONAN_CACERT_PATH", bundleFile, "conan 1", "https://docs.conan.io/1/reference/env_vars.html"},
		{"CARGO_HTTP_CAINFO", bundleFile, "cargo", "https://doc.rust-lang.org/cargo/reference/config.html#httpcainfo"},
		{"CURL_CA_BUNDLE", bundleFile, "curl, python requests, R", "https://curl.se/docs/sslcerts.html"},
		{"GIT_SSL_CAINFO", bundleFile, "git over https: wins over http.sslCAInfo", "git-config(1), http.sslCAInfo"},
		{"AWS_CA_BUNDLE", bundleFile, "aws, boto3", "https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html"},
		{"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", bundleFile, "gcloud", "https://cloud.google.com/sdk/gcloud/reference/config/set (core/custom_ca_certs_file)"},
		{"NIX_SSL_CERT_FILE", bundleFile, "nix", "https://nix.dev/manual/nix/stable/installation/env-variables.html"},
		{"HEX_CACERTS_PATH", bundleFile, "mix hex", "mix hex.config, cacerts_path"},
		{"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", bundleFile, "gRPC core: C++, python, ruby, php", "https://github.com/grpc/grpc/blob/master/doc/environment_variables.md"},
		{"BUNDLE_SSL_CA_CERT", bundleFile, "bundler", "bundle-config(1), ssl_ca_cert"},
		{"COMPOSER_CAFILE", bundleFile, "composer", "https://getcomposer.org/doc/03-cli.md#composer-cafile"},
		{"PERL_LWP_SSL_CA_FILE", bundleFile, "perl LWP", "LWP::UserAgent(3), ENVIRONMENT"},
		{"JULIA_SSL_CA_ROOTS_PATH", bundleFile, "julia", "https://docs.julialang.org/en/v1/manual/environment-variables/"},
		{"SYSTEM_WGETRC", wgetrc, "wget, whose GnuTLS builds know no SSL_CERT_FILE", "wget src/init.c; wget(1), --ca-certificate"},
		{"PHP_INI_SCAN_DIR", phpIni, "php, whose curl knows no SSL_CERT_FILE", "https://www.php.net/manual/en/configuration.file.php; curl.cainfo, openssl.cafile"},
		{"APT_CONFIG", aptConfig, "apt, which knows no SSL_CERT_FILE", "apt.conf(5); apt-transport-https(1), CAInfo"},

		{"HTTP_PROXY", proxyURL, "go, cargo, node, .NET and most", "golang.org/x/net/http/httpproxy"},
		{"http_proxy", proxyURL, "curl, wget, python, apt and most", "https://curl.se/docs/manpage.html, ENVIRONMENT"},
		{"HTTPS_PROXY", proxyURL, "most", "https://curl.se/docs/manpage.html, ENVIRONMENT"},
		{"https_proxy", proxyURL, "most", "https://curl.se/docs/manpage.html, ENVIRONMENT"},
		{"ALL_PROXY", proxyURL, "curl, libcurl, rust reqwest", "https://curl.se/docs/manpage.html, ENVIRONMENT"},
		{"all_proxy", proxyURL, "curl, libcurl, rust reqwest", "https://curl.se/docs/manpage.html, ENVIRONMENT"},
		{"npm_config_proxy", proxyURL, "npm, pnpm, yarn 1: wins over any npmrc", "npm-config(7), proxy"},
		{"npm_config_https_proxy", proxyURL, "npm, pnpm, yarn 1: wins over any npmrc", "npm-config(7), https-proxy"},
		{"YARN_HTTP_PROXY", proxyURL, "yarn berry, which reads no HTTP_PROXY", "yarnrc.yml, httpProxy"},
		{"YARN_HTTPS_PROXY", proxyURL, "yarn berry, which reads no HTTPS_PROXY", "yarnrc.yml, httpsProxy"},
		{"PIP_PROXY", proxyURL, "pip: wins over any pip.conf", "https://pip.pypa.io/en/stable/cli/pip/#cmdoption-proxy"},
		{"CARGO_HTTP_PROXY", proxyURL, "cargo: wins over any config.toml", "https://doc.rust-lang.org/cargo/reference/config.html#httpproxy"},
		{"GIT_CONFIG_COUNT", gitProxy, "git: wins over http.proxy of any gitconfig", "git(1), GIT_CONFIG_COUNT"},
		{"NODE_USE_ENV_PROXY", switchedOn, "node's fetch and http, from 22.21 and 24.5", "https://nodejs.org/api/cli.html#node_use_env_proxy1"},
		{"ELECTRON_GET_USE_PROXY", switchedOn, "electron's installer", "https://github.com/electron/get#proxies"},
		{"NO_PROXY", directHosts, "most", "golang.org/x/net/http/httpproxy"},
		{"no_proxy", directHosts, "most", "https://curl.se/docs/manpage.html, ENVIRONMENT"},
		{"npm_config_noproxy", directHostsNPM, "npm, pnpm, yarn 1: wins over any npmrc", "npm-config(7), noproxy"},

		{"JAVA_TOOL_OPTIONS", javaOptions, "every JVM: java, maven, gradle, sbt, ant", "JVM Tool Interface, JAVA_TOOL_OPTIONS; Java networking properties; JSSE reference guide"},
		{"_JAVA_OPTIONS", javaOverride, "every HotSpot JVM", "hotspot/share/runtime/arguments.cpp"},
		{"JDK_JAVA_OPTIONS", javaOverride, "the java launcher, from 9", "java(1), JDK_JAVA_OPTIONS"},
		{"MAVEN_OPTS", javaOverride, "maven", "https://maven.apache.org/configure.html"},
		{"SBT_OPTS", javaOverride, "sbt", "https://www.scala-sbt.org/1.x/docs/Command-Line-Reference.html"},
		{"ANT_OPTS", javaOverride, "ant", "https://ant.apache.org/manual/running.html"},
		{"GRADLE_OPTS", gradleOptions, "gradle, whose daemon may have been started outside", "https://docs.gradle.org/current/userguide/gradle_daemon.html"},
	}
}
