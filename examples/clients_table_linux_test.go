package examples

// The rows. What a client is told about its registry is what its own
// configuration would say; nothing says a word about proxies or authorities.

const hello = "hello from the origin"

var transferClients = []client{
	{name: "curl h1", source: "Debian: curl", program: "curl", required: true,
		run: "curl -fsS --http1.1 ORIGIN/file", want: hello, request: "GET /file", asked: "curl"},
	{name: "curl h2", source: "Debian: curl", program: "curl", required: true,
		run: `curl -fsS --http2 -w '%{http_version}' ORIGIN/file`, want: hello + "\n2", request: "GET /file", asked: "curl"},
	{name: "curl through a proxy of its own", source: "Debian: curl", program: "curl", required: true,
		run: "curl -fsS --proxy http://proxy.corp.test:3128 ORIGIN/file", want: hello, request: "GET /file", asked: "curl"},
	{name: "curl to an IPv6 literal", source: "Debian: curl", program: "curl", required: true, literal: true,
		run: "curl -fsS ORIGIN/file", want: hello, request: "GET /file", asked: "curl"},
	{name: "wget", source: "Debian: wget", program: "wget", required: true,
		run: "wget -qO- --tries=1 ORIGIN/file", want: hello, request: "GET /file", asked: "wget"},
	{name: "openssl s_client", source: "Debian: openssl", program: "openssl", required: true,
		run:  `printf 'GET /file HTTP/1.0\r\nHost: HOST\r\n\r\n' | openssl s_client -quiet -verify_return_error -connect HOST:443 -servername HOST`,
		want: hello, request: "GET /file", asked: "openssl", tolerates: "s_client prints what the server says and is done"},
	{name: "openssl hashed directory", source: "Debian: openssl", program: "openssl", required: true,
		run:  `printf 'GET /file HTTP/1.0\r\nHost: HOST\r\n\r\n' | env -u SSL_CERT_FILE -u SSL_CERT_DIR openssl s_client -quiet -verify_return_error -no-CAfile -CApath /etc/ssl/certs -connect HOST:443 -servername HOST`,
		want: hello, request: "GET /file", asked: "openssl", tolerates: "s_client prints what the server says and is done"},
	{name: "git clone and fetch", source: "Debian: git", program: "git", required: true,
		run:  "git clone -q ORIGIN/git/app.git app && git -C app fetch -v",
		want: "main +-> origin/main", request: "POST /git/app.git/git-upload-pack", asked: "git-remote-http"},
	{name: "git push", source: "Debian: git", program: "git", required: true,
		run:     "git clone -q ORIGIN/git/app.git app && cd app && git -c user.name=t -c user.email=t@example.org commit -q --allow-empty -m \"$(date +%N)\" && git push -q origin +HEAD:refs/heads/HOST",
		request: "POST /git/app.git/git-receive-pack", asked: "git-remote-http",
		deny:    "  - {host: HOST, paths: [/git/app.git/git-receive-pack]}\n",
		reached: "a connection|(GET|POST) /git/app.git/(info/refs.*|git-upload-pack)"},
	{name: "git over ssh", source: "Debian: git, openssh-client, openssh-server", program: "/usr/sbin/sshd", required: true, tcp: "22",
		run:   "chmod 600 key && git clone -q ssh://root@HOST/TOOLS/git/app.git app && git -C app log --format=%s",
		files: map[string]string{"key": "SSHKEY"},
		env:   []string{"GIT_SSH_COMMAND=ssh -i HERE/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"},
		want:  "first", asked: "ssh"},
	{name: "psql", source: "Debian: postgresql", program: "/usr/lib/postgresql/*/bin/postgres", tcp: "5432",
		run: `psql -h HOST -U app -d postgres -Atc "select 'hello from ' || 'the database'"`, want: "hello from the database", asked: "psql"},
}

var pythonClients = []client{
	{name: "python urllib", source: "Debian: python3", program: "python3", required: true,
		run: `python3 -c "import urllib.request as u; print(u.urlopen('ORIGIN/file').read().decode())"`, want: hello, request: "GET /file", asked: "python3.*"},
	{name: "python requests", source: "PyPI: requests", program: "python3", required: true, env: []string{"PYTHONPATH=TOOLS/py"},
		run: `python3 -c "import requests; r = requests.get('ORIGIN/file'); r.raise_for_status(); print(r.text)"`, want: hello, request: "GET /file", asked: "python3.*"},
	{name: "python httpx", source: "PyPI: httpx", program: "python3", required: true, env: []string{"PYTHONPATH=TOOLS/py"},
		run:  `python3 -c "import httpx; r = httpx.Client(http2=True).get('ORIGIN/file'); r.raise_for_status(); print(r.http_version, r.text)"`,
		want: "HTTP/2 " + hello, request: "GET /file", asked: "python3.*"},
	{name: "python aiohttp", source: "PyPI: aiohttp", program: "python3", required: true, env: []string{"PYTHONPATH=TOOLS/py"},
		files: map[string]string{"get.py": `
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(raise_for_status=True) as s, s.get('ORIGIN/file') as r:
        print(await r.text())
asyncio.run(main())
`},
		run: "python3 get.py", want: hello, request: "GET /file", asked: "python3.*"},
	{name: "python grpc", source: "PyPI: grpcio", program: "python3", required: true, env: []string{"PYTHONPATH=TOOLS/py"},
		files: map[string]string{"say.py": `
import grpc
channel = grpc.secure_channel('HOST:443', grpc.ssl_channel_credentials())
print(channel.unary_unary('/demo.Echo/Say')(b'` + hello + `', timeout=30).decode())
`},
		run: "python3 say.py", want: hello, request: "POST /demo.Echo/Say", asked: "python3.*"},
	{name: "pip", source: "Debian: python3-pip", program: "python3", required: true,
		run: "python3 -m pip install --target out --index-url ORIGIN/simple/ demo", want: "Successfully installed demo-1.0", request: "GET /wheels/demo-1.0-py3-none-any.whl", asked: "python3.*"},
	{name: "pip with a pip.conf", source: "Debian: python3-pip", program: "python3", required: true, heavy: true,
		files: map[string]string{"home/.config/pip/pip.conf": "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\nproxy = http://proxy.corp.test:3128\n"},
		run:   "python3 -m pip download --index-url ORIGIN/simple/ demo", want: "Saved ./demo-1.0", request: "GET /wheels/demo-1.0-py3-none-any.whl", asked: "python3.*"},
	{name: "uv", source: "PyPI: uv", program: "TOOLS/pip/bin/uv", required: true,
		run: "TOOLS/pip/bin/uv pip install --python /usr/bin/python3 --target out --index-url ORIGIN/simple/ demo", want: `\+ demo==1.0`, request: "GET /wheels/demo-1.0-py3-none-any.whl", asked: "uv"},
	{name: "poetry", source: "PyPI: poetry", program: "TOOLS/py/bin/poetry", required: true, heavy: true,
		env: []string{"PYTHONPATH=TOOLS/py"},
		run: "TOOLS/py/bin/poetry lock -n && grep -A1 demo poetry.lock",
		files: map[string]string{"pyproject.toml": `
[project]
name = "x"
version = "0"
requires-python = ">=3.9"
dependencies = ["demo"]
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "local"
url = "ORIGIN/simple/"
priority = "primary"
`},
		want: `version = "1.0"`, request: "GET /simple/demo/", asked: "python3.*"},
	{name: "pipx", source: "PyPI: pipx", program: "TOOLS/py/bin/pipx", required: true, heavy: true,
		env:  []string{"PYTHONPATH=TOOLS/py", "PIP_INDEX_URL=ORIGIN/simple/"},
		run:  "TOOLS/py/bin/pipx install demo && home/.local/bin/demo",
		want: "demo runs", request: "GET /wheels/demo-1.0-py3-none-any.whl", asked: "python3.*"},
	{name: "conan", source: "PyPI: conan", program: "TOOLS/py/bin/conan", required: true, heavy: true, env: []string{"PYTHONPATH=TOOLS/py"},
		run: "TOOLS/py/bin/conan remote add local ORIGIN/conan && TOOLS/py/bin/conan search demo -r local", want: "demo/1.0", request: "GET /conan/v2/conans/search", asked: "python3.*",
		tolerates: "it lists the error beside the remote"},
	{name: "aws", source: "PyPI: awscli", program: "TOOLS/py/bin/aws", required: true, heavy: true, env: []string{"PYTHONPATH=TOOLS/py"},
		run: "TOOLS/py/bin/aws --endpoint-url ORIGIN/buckets/ --region none --no-sign-request s3api list-buckets", want: "demo-bucket", request: "GET /buckets/", asked: "python3.*"},
}

var javascriptClients = []client{
	{name: "node https", source: "Debian: nodejs", program: "node", required: true,
		run:  `node -e "require('https').get('ORIGIN/file', r => { process.exitCode = r.statusCode == 200 ? 0 : 1; r.pipe(process.stdout) })"`,
		want: hello, request: "GET /file", asked: "node"},
	{name: "node fetch", source: "Debian: nodejs", program: "node", required: true,
		run:  `node -e "fetch('ORIGIN/file').then(async r => { process.exitCode = r.ok ? 0 : 1; console.log(await r.text()) })"`,
		want: hello, request: "GET /file", asked: "node"},
	{name: "200 connections at once", source: "Debian: nodejs", program: "node", required: true, heavy: true,
		run:  `node -e "Promise.all(Array.from({length: 200}, async (_, i) => { const r = await fetch('ORIGIN/together/' + i); if (!r.ok) process.exit(1); return r.text() })).then(a => console.log(a.join('')))"`,
		want: "(all are here\n){200}", request: "GET /together/199", asked: "node"},
	{name: "node undici", source: "npm: undici", program: "node", required: true, env: []string{"NODE_PATH=TOOLS/npm/node_modules"},
		run:  `node -e "require('undici').request('ORIGIN/file').then(async r => { process.exitCode = r.statusCode == 200 ? 0 : 1; console.log(await r.body.text()) })"`,
		want: hello, request: "GET /file", asked: "node"},
	{name: "npm", source: "Debian: npm", program: "npm", required: true,
		run:   "npm install --no-audit --no-fund --fetch-retries=0 && node -p \"require('demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"demo":"1"}}`, ".npmrc": "registry=ORIGIN/npm/\n"},
		want:  "demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "node"},
	{name: "npm with an npmrc", source: "Debian: npm", program: "npm", required: true, heavy: true,
		run:   "npm view demo version --fetch-retries=0",
		files: map[string]string{"package.json": "{}", ".npmrc": "registry=ORIGIN/npm/\nhttps-proxy=http://proxy.corp.test:3128/\ncafile=/nonexistent/ca.pem\nstrict-ssl=true\n"},
		want:  "1.0.0", request: "GET /npm/demo", asked: "node"},
	{name: "npm scoped", source: "Debian: npm", program: "npm", required: true,
		run:   "npm install --no-audit --no-fund --fetch-retries=0 && node -p \"require('@scope/demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"@scope/demo":"1"}}`, ".npmrc": "@scope:registry=ORIGIN/npm/\nupdate-notifier=false\n"},
		want:  "demo", request: "GET /npm/@scope%2[fF]demo", asked: "node"},
	{name: "yarn 1", source: "npm: yarn", program: "TOOLS/npm/node_modules/yarn/bin/yarn.js", required: true,
		run:   "node TOOLS/npm/node_modules/yarn/bin/yarn.js install && node -p \"require('demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"demo":"1"}}`, ".yarnrc": "registry \"ORIGIN/npm/\"\n"},
		env:   []string{"YARN_CACHE_FOLDER=HERE/cache"}, // root's is the machine's otherwise
		want:  "demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "node"},
	{name: "yarn berry", source: "npm: @yarnpkg/cli-dist", program: "TOOLS/npm/node_modules/@yarnpkg/cli-dist/bin/yarn.js", required: true,
		run:   "node TOOLS/npm/node_modules/@yarnpkg/cli-dist/bin/yarn.js install --no-immutable && node -p \"require('demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"demo":"1"}}`, "yarn.lock": "", ".yarnrc.yml": "npmRegistryServer: ORIGIN/npm\nnodeLinker: node-modules\nenableTelemetry: false\nhttpRetry: 0\n"},
		want:  "demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "node"},
	{name: "yarn 2", source: "npm: @yarnpkg/cli-dist", program: "TOOLS/npm/node_modules/yarn2/bin/yarn.js", required: true,
		run:   "node TOOLS/npm/node_modules/yarn2/bin/yarn.js install && node -p \"require('demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"demo":"1"}}`, "yarn.lock": "", ".yarnrc.yml": "npmRegistryServer: ORIGIN/npm\nnodeLinker: node-modules\nenableTelemetry: false\nhttpRetry: 0\n\n"},
		want:  "demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "node"},
	{name: "yarn 3", source: "npm: @yarnpkg/cli-dist", program: "TOOLS/npm/node_modules/yarn3/bin/yarn.js", required: true,
		run:   "node TOOLS/npm/node_modules/yarn3/bin/yarn.js install && node -p \"require('demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"demo":"1"}}`, "yarn.lock": "", ".yarnrc.yml": "npmRegistryServer: ORIGIN/npm\nnodeLinker: node-modules\nenableTelemetry: false\nhttpRetry: 0\nenableGlobalCache: false\n"},
		want:  "demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "node"},
	{name: "yarn berry behind an authority of its own", source: "npm: @yarnpkg/cli-dist", program: "TOOLS/npm/node_modules/@yarnpkg/cli-dist/bin/yarn.js", required: true,
		run:   "node TOOLS/npm/node_modules/@yarnpkg/cli-dist/bin/yarn.js install --no-immutable && node -p \"require('demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"demo":"1"}}`, "yarn.lock": "", ".yarnrc.yml": "npmRegistryServer: ORIGIN/npm\nhttpsCaFilePath: /nonexistent/ca.pem\nnodeLinker: node-modules\nenableTelemetry: false\nhttpRetry: 0\n"},
		want:  "demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "node"},
	{name: "corepack", source: "npm: corepack", program: "TOOLS/npm/node_modules/corepack/dist/corepack.js", required: true,
		run:   "node TOOLS/npm/node_modules/corepack/dist/corepack.js yarn --version",
		files: map[string]string{"package.json": `{"packageManager":"yarn@4.0.0"}`},
		env:   []string{"COREPACK_NPM_REGISTRY=ORIGIN/npm", "COREPACK_INTEGRITY_KEYS=0", "COREPACK_DEFAULT_TO_LATEST=0"},
		want:  "4[.]", request: "GET /npm/@yarnpkg/cli-dist/-/cli-dist-4.0.0.tgz", asked: "node"},
	{name: "pnpm", source: "npm: pnpm", program: "TOOLS/npm/node_modules/pnpm/bin/pnpm.cjs", required: true,
		run:   "node TOOLS/npm/node_modules/pnpm/bin/pnpm.cjs install --fetch-retries=0 && node -p \"require('demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"demo":"1"}}`, ".npmrc": "registry=ORIGIN/npm/\n"},
		want:  "demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "node"},
	{name: "bun", source: "npm: bun", program: "TOOLS/npm/node_modules/.bin/bun", required: true,
		run:   "TOOLS/npm/node_modules/.bin/bun install && node -p \"require('demo')\"",
		files: map[string]string{"package.json": `{"dependencies":{"demo":"1"}}`, "bunfig.toml": "[install]\nregistry = \"ORIGIN/npm/\"\n"},
		want:  "demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "bun.*"},
	{name: "bun fetch", source: "npm: bun", program: "TOOLS/npm/node_modules/.bin/bun", required: true,
		run:  `TOOLS/npm/node_modules/.bin/bun -e "const r = await fetch('ORIGIN/file'); console.log(await r.text()); process.exit(r.ok ? 0 : 1)"`,
		want: hello, request: "GET /file", asked: "bun.*"},
	{name: "deno", source: "npm: deno", program: "TOOLS/npm/node_modules/.bin/deno", required: true,
		run:   "TOOLS/npm/node_modules/.bin/deno run -A --no-lock main.js",
		files: map[string]string{"main.js": "import demo from 'npm:demo@1'\nconsole.log('have', demo)\n"},
		env:   []string{"NPM_CONFIG_REGISTRY=ORIGIN/npm/", "DENO_NO_UPDATE_CHECK=1"},
		want:  "have demo", request: "GET /npm/demo/-/demo-1.0.0.tgz", asked: "deno"},
	{name: "deno fetch", source: "npm: deno", program: "TOOLS/npm/node_modules/.bin/deno", required: true,
		run:  `TOOLS/npm/node_modules/.bin/deno eval "const r = await fetch('ORIGIN/file'); console.log(await r.text()); Deno.exit(r.ok ? 0 : 1)"`,
		want: hello, request: "GET /file", asked: "deno"},
}

var compiledClients = []client{
	{name: "go mod download", source: "Go", program: "go", required: true, env: []string{"GOPROXY=ORIGIN/go", "GONOSUMDB=demo.test", "GOFLAGS=-modcacherw"},
		run: "go mod download -x", files: map[string]string{"go.mod": "module x\nrequire demo.test/m v1.0.0\n"},
		want: "v1.0.0.zip", request: "GET /go/demo.test/m/@v/v1.0.0.zip", asked: "go"},
	{name: "go net http", source: "Go: this test", program: "go", required: true, env: []string{getVariable + "=ORIGIN/file"},
		run: "TOOLS/get", want: hello, request: "GET /file", asked: "get"},
	{name: "cargo fetch", source: "Rust, or Debian: cargo", program: "cargo", required: true,
		run: "cargo fetch",
		files: map[string]string{
			"Cargo.toml":         "[package]\nname = \"x\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\ndemo = { version = \"1\", registry = \"local\" }\n",
			"src/lib.rs":         "",
			".cargo/config.toml": "[registries.local]\nindex = \"sparse+ORIGIN/index/\"\n[net]\nretry = 0\n",
		},
		want: "Downloaded demo v1.0.0", request: "GET /crates/demo-1.0.0.crate", asked: "cargo"},
	{name: "java URL", source: "Debian: openjdk-17-jdk-headless", program: "java", required: true, heavy: true,
		run: "java Get.java ORIGIN/file", want: hello, request: "GET /file", asked: "java",
		files: map[string]string{"Get.java": "public class Get { public static void main(String[] a) throws Exception { System.out.write(new java.net.URL(a[0]).openStream().readAllBytes()); System.out.flush(); } }"}},
	{name: "java HttpClient", source: "Debian: openjdk-17-jdk-headless", program: "java", required: true, heavy: true,
		run: "java Get.java ORIGIN/file", want: "HTTP_2 " + hello, request: "GET /file", asked: "java",
		files: map[string]string{"Get.java": `
import java.net.URI;
import java.net.http.*;
public class Get {
    public static void main(String[] a) throws Exception {
        var r = HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(a[0])).build(), HttpResponse.BodyHandlers.ofString());
        System.out.println(r.version() + " " + r.body());
        System.exit(r.statusCode() == 200 ? 0 : 1);
    }
}
`}},
	{name: "maven", source: "Debian: maven", program: "mvn", required: true, heavy: true,
		run: "mvn -B -s settings.xml validate", want: "BUILD SUCCESS", request: "GET /maven/test/demo/parent/1/parent-1.pom", asked: "java",
		files: map[string]string{
			"settings.xml": "<settings><localRepository>repository</localRepository><mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>ORIGIN/maven</url></mirror></mirrors></settings>",
			"pom.xml":      "<project><modelVersion>4.0.0</modelVersion><parent><groupId>test.demo</groupId><artifactId>parent</artifactId><version>1</version><relativePath/></parent><artifactId>x</artifactId><packaging>pom</packaging></project>",
		}},
	{name: "gradle", source: "Debian: gradle", program: "gradle", heavy: true, env: []string{"GRADLE_USER_HOME=HERE/gradle"},
		run: "gradle --console=plain show", want: "parent-1.pom", request: "GET /maven/test/demo/parent/1/parent-1.pom", asked: "java",
		files: map[string]string{"build.gradle": `
repositories { maven { url 'ORIGIN/maven' } }
configurations { demo }
dependencies { demo 'test.demo:parent:1@pom' }
task show { doLast { configurations.demo.each { println it.name } } }
`}},
	{name: "bazel", source: "Debian: bazel-bootstrap", program: "bazel", heavy: true,
		run:   "bazel --output_user_root=HERE/bazel fetch @demo//file && cat HERE/bazel/*/external/demo/file/downloaded",
		files: map[string]string{"BUILD": "", "WORKSPACE": "load('@bazel_tools//tools/build_defs/repo:http.bzl', 'http_file')\nhttp_file(name = 'demo', urls = ['ORIGIN/file'])\n"},
		want:  hello, request: "GET /file", asked: "java"},
	{name: "terraform", source: "its own server", program: "terraform", env: []string{"CHECKPOINT_DISABLE=1"}, run: "terraform init -no-color", want: "successfully initialized", request: "GET /module.zip", asked: "terraform",
		files: map[string]string{"main.tf": "module \"demo\" { source = \"ORIGIN/module.zip\" }\n"}},
	{name: "kubectl", source: "its own server", program: "kubectl", run: "kubectl --token x --server ORIGIN get --raw /file", want: hello, request: "GET /file", asked: "kubectl"},
	{name: "nix", source: "Debian: nix-bin", program: "nix-prefetch-url", env: []string{"NIX_REMOTE=local?root=HERE/nix"},
		run: "nix-prefetch-url ORIGIN/file", want: "path is|[0-9a-z]{52}", request: "GET /file", asked: "nix.*"},
}

var interpretedClients = []client{
	{name: "ruby net http", source: "Debian: ruby", program: "ruby", required: true,
		run:  `ruby -rnet/http -e "r = Net::HTTP.get_response(URI('ORIGIN/file')); puts r.body; exit r.is_a?(Net::HTTPOK)"`,
		want: hello, request: "GET /file", asked: "ruby.*"},
	{name: "gem", source: "Debian: ruby", program: "gem", required: true,
		run:  "gem install --no-document --clear-sources --source ORIGIN/static/gems/ --install-dir out demo",
		want: "1 gem installed", request: "GET /static/gems/gems/demo-1.0.0.gem", asked: "ruby.*"},
	{name: "bundler", source: "Debian: bundler", program: "bundle", required: true, env: []string{"BUNDLE_PATH=HERE/out", "BUNDLE_RETRY=0"},
		run: "bundle install", files: map[string]string{"Gemfile": "source 'ORIGIN/static/gems/'\ngem 'demo'\n"},
		want: "Bundle complete", request: "GET /static/gems/gems/demo-1.0.0.gem", asked: "ruby.*"},
	{name: "php streams", source: "Debian: php-cli", program: "php", required: true,
		run: `php -r "\$s = file_get_contents('ORIGIN/file'); echo \$s; exit(\$s === false ? 1 : 0);"`, want: hello, request: "GET /file", asked: "php.*"},
	{name: "php curl", source: "Debian: php-curl", program: "php", required: true,
		run:  `php -r "\$c = curl_init('ORIGIN/file'); curl_setopt(\$c, CURLOPT_FAILONERROR, true); exit(curl_exec(\$c) ? 0 : 1);"`,
		want: hello, request: "GET /file", asked: "php.*"},
	{name: "composer", source: "Debian: composer", program: "composer", required: true, env: []string{"COMPOSER_ALLOW_SUPERUSER=1"},
		run:   "composer install --no-interaction && cat vendor/demo/demo/README",
		files: map[string]string{"composer.json": `{"repositories":[{"type":"composer","url":"ORIGIN/composer"},{"packagist":false}],"require":{"demo/demo":"1.0.0"}}`},
		want:  "\ndemo\n", request: "GET /composer/demo.zip", asked: "php.*"},
	{name: "perl LWP", source: "Debian: libwww-perl, liblwp-protocol-https-perl", program: "perl", required: true,
		run:  `perl -MLWP::UserAgent -e 'my $r = LWP::UserAgent->new->get("ORIGIN/file"); print $r->decoded_content; exit !$r->is_success'`,
		want: hello, request: "GET /file", asked: "perl"},
}

var systemClients = []client{
	{name: "apt-get", source: "Debian", program: "apt-get", only: "root",
		run:   "apt-get -o Dir::Etc::sourcelist=HERE/sources.list -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=0 update && apt-get -o Dir::Etc::sourcelist=HERE/sources.list -o Dir::Etc::sourceparts=/dev/null install -y proxaudit-demo && stat -c %U /opt/proxaudit-demo/file",
		files: map[string]string{"sources.list": "deb [trusted=yes] ORIGIN/static debian/\n"},
		want:  "\n_apt\n", request: "GET /static/debian/demo.deb", asked: "https?"},
	{name: "chromium", source: "Debian: chromium", program: "chromium", heavy: true, chatty: true,
		run:  "chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-default-apps --virtual-time-budget=20000 --user-data-dir=HERE/profile --dump-dom ORIGIN/page",
		want: "fetched: " + hello, request: "GET /page", asked: "chromium", tolerates: "it shows the page that says denied"},
	{name: "playwright", source: "npm: playwright-core; Debian: chromium", program: "chromium", heavy: true, chatty: true, env: []string{"NODE_PATH=TOOLS/npm/node_modules"},
		files: map[string]string{"page.js": `
(async () => {
  const browser = await require('playwright-core').chromium.launch({executablePath: '/usr/bin/chromium', chromiumSandbox: false})
  const page = await browser.newPage()
  const r = await page.goto('ORIGIN/page')
  if (r.ok()) await page.waitForFunction("document.body.innerText.includes('fetched')", null, {timeout: 60000})
  console.log(await page.innerText('body'))
  await browser.close()
  process.exit(r.ok() ? 0 : 1)
})()
`},
		run: "node page.js", want: "fetched: " + hello, request: "GET /page", asked: "chromium"},
	{name: "gcloud", source: "its own server", program: "gcloud", heavy: true, chatty: true,
		env: []string{"CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true", "CLOUDSDK_CORE_DISABLE_PROMPTS=true", "CLOUDSDK_CORE_PROJECT=demo-project", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE=ORIGIN/storage/v1/"},
		run: "gcloud storage buckets list", want: "demo-bucket", request: "GET /storage/v1/b", asked: "python3.*"},
	{name: "a server inside", source: "Debian: python3, curl", program: "python3", required: true,
		run: `python3 -u -m http.server --bind 127.0.0.1 0 >port 2>/dev/null & trap 'kill $!' EXIT
until port=$(grep -o 'port [0-9]*' port | grep -o '[0-9]*'); do sleep 0.05; done
curl -fsS http://127.0.0.1:$port/served && curl -fsS http://localhost:$port/served && curl -fsS ORIGIN/file`,
		files: map[string]string{"served": "from inside\n"},
		want:  "from inside\nfrom inside\n" + hello, request: "GET /file", asked: "curl"},
	{name: "python on a terminal", source: "Debian: python3", program: "python3", required: true,
		run: "python3 -q", types: "import sys, urllib.request as u\nprint([f.isatty() for f in (sys.stdin, sys.stdout, sys.stderr)])\nprint(u.urlopen('ORIGIN/file').read())\nexit()\n",
		want: `(?s)\[True, True, True\].*b'` + hello, request: "GET /file", asked: "python3.*", tolerates: "the interpreter shows the error and goes on"},
}
