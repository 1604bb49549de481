package ecosystem

import "testing"

// grammarCase is a path below a base, and the package it reads.
type grammarCase struct{ base, path, want string }

func checkGrammar(t *testing.T, typ string, cases []grammarCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.path, func(t *testing.T) {
			got := read(t, typ, tc.base, tc.path)
			if got != tc.want {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			checkCanonical(t, got)
		})
	}
}

func TestGem(t *testing.T) {
	checkGrammar(t, "gem", []grammarCase{
		// As gem 3.3 and bundler 2.3 ask.
		{"/", "/info/rails", "pkg:gem/rails"},
		{"/", "/info/JSONStream", "pkg:gem/JSONStream"},
		{"/", "/gems/rails-7.1.2.gem", "pkg:gem/rails@7.1.2"},
		{"/", "/gems/rails-html-sanitizer-1.6.0.gem", "pkg:gem/rails-html-sanitizer@1.6.0"},
		{"/", "/gems/rack-3.0.0.beta1.gem", "pkg:gem/rack@3.0.0.beta1"},
		{"/", "/gems/tool-3-2.0.gem", "pkg:gem/tool-3@2.0"},
		{"/", "/gems/3scale-1.0.gem", "pkg:gem/3scale@1.0"},
		{"/", "/gems/nokogiri-1.15.5-x86_64-linux.gem", "pkg:gem/nokogiri@1.15.5"},
		{"/", "/gems/nokogiri-1.15.5-aarch64-linux-musl.gem", "pkg:gem/nokogiri@1.15.5"},
		{"/", "/gems/nokogiri-1.15.5-arm64-darwin.gem", "pkg:gem/nokogiri@1.15.5"},
		{"/", "/gems/nokogiri-1.15.5-java.gem", "pkg:gem/nokogiri@1.15.5"},
		{"/", "/gems/nokogiri-1.15.5-x64-mingw-ucrt.gem", "pkg:gem/nokogiri@1.15.5"},
		{"/", "/gems/nokogiri-1.15.5-x64-mingw32.gem", "pkg:gem/nokogiri@1.15.5"},
		{"/", "/quick/Marshal.4.8/rails-7.1.2.gemspec.rz", "pkg:gem/rails@7.1.2"},
		{"/", "/quick/Marshal.4.8/nokogiri-1.15.5-java.gemspec.rz", "pkg:gem/nokogiri@1.15.5"},
		{"/", "/api/v1/gems/rails.json", "pkg:gem/rails"},
		{"/", "/api/v1/versions/rails.json", "pkg:gem/rails"},
		{"/", "/api/v1/versions/rails/latest.json", "pkg:gem/rails"},
		{"/", "/api/v2/rubygems/rails/versions/7.1.2.json", "pkg:gem/rails@7.1.2"},
		{"/repository/gems/", "/repository/gems/gems/rails-7.1.2.gem", "pkg:gem/rails@7.1.2"},

		// The server as a whole.
		{"/", "/versions", ""},
		{"/", "/names", ""},
		{"/", "/specs.4.8.gz", ""},
		{"/", "/latest_specs.4.8.gz", ""},
		{"/", "/api/v1/dependencies", ""},
		{"/", "/api/v1/dependencies.json", ""},

		// What can be read in two ways, or in none.
		{"/", "/gems/tool-1.0-arm64-darwin-21.gem", ""},
		{"/", "/gems/tool-1.0-x86-mswin32-60.gem", ""},
		{"/", "/gems/tool-1.0-2.0.gem", "pkg:gem/tool-1.0@2.0"},
		{"/", "/gems/tool-1-linux-2.gem", ""},
		{"/", "/gems/tool-1.0-evil.gem", ""},
		{"/", "/gems/tool-1..0.gem", ""},
		{"/", "/gems/tool-1.0..gem", ""},
		{"/", "/gems/tool.gem", ""},
		{"/", "/gems/-1.0.gem", ""},
		{"/", "/gems/a%2Ftool-1.0.gem", ""},
		{"/", "/gems/a/tool-1.0.gem", ""},
		{"/", "/gems/tool-1.0%2A.gem", ""},
		{"/", "/gems/tool-1.0.gem/x", ""},
		{"/", "/info/a/b", ""},
		{"/", "/info/a%2Fb", ""},
		{"/", "/info/", ""},
		{"/", "/api/v1/versions/rails/oldest.json", ""},
		{"/", "/api/v1/gems", ""},
		{"/", "/api/v1/gems/rails", ""},
		{"/", "/evil/gems/rails-7.1.2.gem", ""},
	})
}

// TestAsk: some requests name their package in the query, and only there.
func TestAsk(t *testing.T) {
	commit := "0123456789abcdef0123456789abcdef01234567"
	for _, tc := range []struct{ typ, path, query, want string }{
		{"gem", "/api/v1/dependencies", "gems=rails", "pkg:gem/rails"},
		{"gem", "/api/v1/dependencies", "gems=rails,rack", ""},
		{"gem", "/api/v1/dependencies", "gems=rails%2Crack", ""},
		{"gem", "/api/v1/dependencies", "gems=rails&gems=evil", ""},
		{"gem", "/api/v1/dependencies", "gems=", ""},
		{"gem", "/other", "gems=rails", ""},
		{"nuget", "/nuget/FindPackagesById()", "id='Newtonsoft.Json'", "pkg:nuget/newtonsoft.json"},
		{"nuget", "/nuget/FindPackagesById()", "id=%27Newtonsoft.Json%27&semVerLevel=2.0.0", "pkg:nuget/newtonsoft.json"},
		{"nuget", "/nuget/FindPackagesById()", "id='a'&id='b'", ""},
		{"nuget", "/nuget/FindPackagesById()", "id='a'&%69d='b'", ""},
		{"nuget", "/nuget/FindPackagesById()", "id='a'&ID='b'", ""},
		{"nuget", "/nuget/FindPackagesById()", "id='a' or 'b'", ""},
		{"docker", "/v2/library/alpine/manifests/3", "ns=docker.test", ""},
		{"docker", "/v2/library/alpine/manifests/3", "NS=docker.test", ""},
		{"docker", "/v2/library/alpine/manifests/3", "a&n%73=docker.test", ""},
		{"docker", "/v2/library/alpine/manifests/3", "a;ns=docker.test", ""},
		{"docker", "/v2/library/alpine/manifests/3", "%zz", ""},
		{"docker", "/v2/library/alpine/tags/list", "n=100&last=3", "pkg:docker/library/alpine"},
		{"nuget", "/nuget/FindPackagesById()", "id=a", ""},
		{"nuget", "/nuget/FindPackagesById()", "id='a'&x=%zz", ""},
		{"nuget", "/nuget/Search()", "id='a'", ""},
		{"composer", "/archives/acme/demo.zip", "sha=" + commit, "pkg:composer/acme/demo@" + commit},
		{"composer", "/archives/acme/demo.zip", "sha=" + commit + "&x", ""},
		{"composer", "/archives/acme/demo.zip", "sha=main", ""},
		{"composer", "/archives/acme/demo.zip", "", ""},
	} {
		r, err := New(Registries{tc.typ: {"https://r.example.org/"}})
		if err != nil {
			t.Fatal(err)
		}
		q := query(t, "https", "r.example.org", tc.path)
		q.RawQuery = tc.query
		purl, registry := r.Identify(q)
		if registry == "" {
			purl = ""
		}
		if purl != tc.want {
			t.Errorf("%s?%s: got %q, want %q", tc.path, tc.query, purl, tc.want)
		}
		checkCanonical(t, purl)
	}
}

// TestGemPurl: a gem has one purl, in a lockfile and on the wire.
func TestGemPurl(t *testing.T) {
	for version, file := range map[string]string{
		"1.15.5":              "nokogiri-1.15.5.gem",
		"1.15.5-x86_64-linux": "nokogiri-1.15.5-x86_64-linux.gem",
		"1.15.5-java":         "nokogiri-1.15.5-java.gem",
		"2.0.0.rc1":           "nokogiri-2.0.0.rc1.gem",
	} {
		want := read(t, "gem", "/", "/gems/"+file)
		if got := Purl("gem", "nokogiri", version); got != want || want == "" {
			t.Errorf("%s: %q, and on the wire %q", version, got, want)
		}
	}
	for _, version := range []string{"", "x", "1..0", "1.0-evil", "1.0-", "1.0/2"} {
		if got := Purl("gem", "nokogiri", version); got != "" {
			t.Errorf("%q: %q", version, got)
		}
	}
	if got := Purl("gem", "a/b", "1.0"); got != "" {
		t.Error(got)
	}
}
