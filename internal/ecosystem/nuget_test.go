package ecosystem

import "testing"

func TestNuGet(t *testing.T) {
	checkGrammar(t, "nuget", []grammarCase{
		{"/", "/v3-flatcontainer/newtonsoft.json/index.json", "pkg:nuget/newtonsoft.json"},
		{"/", "/v3-flatcontainer/newtonsoft.json/13.0.1/newtonsoft.json.13.0.1.nupkg", "pkg:nuget/newtonsoft.json@13.0.1"},
		{"/", "/v3-flatcontainer/newtonsoft.json/13.0.1/newtonsoft.json.nuspec", "pkg:nuget/newtonsoft.json@13.0.1"},
		{"/", "/v3-flatcontainer/a/1.0.0-rc.1/a.1.0.0-rc.1.nupkg", "pkg:nuget/a@1.0.0-rc.1"},
		{"/", "/v3-flatcontainer/a/1.0.0-rc.1%2Bb/a.1.0.0-rc.1%2Bb.nupkg", "pkg:nuget/a@1.0.0-rc.1%2Bb"},
		{"/", "/v3/registration5-gz-semver2/newtonsoft.json/index.json", "pkg:nuget/newtonsoft.json"},
		{"/", "/v3/registration5-gz-semver2/newtonsoft.json/13.0.1.json", "pkg:nuget/newtonsoft.json@13.0.1"},
		{"/", "/v3/registration5-semver1/newtonsoft.json/page/3.5.8/13.0.1.json", "pkg:nuget/newtonsoft.json"},
		{"/", "/api/v2/package/Newtonsoft.Json/13.0.1", "pkg:nuget/newtonsoft.json@13.0.1"},
		{"/", "/api/v2/Packages(Id='Newtonsoft.Json',Version='13.0.1-Beta')", "pkg:nuget/newtonsoft.json@13.0.1-beta"},
		{"/", "/api/v2/Packages(Id=%27Newtonsoft.Json%27,Version=%2713.0.1%27)", "pkg:nuget/newtonsoft.json@13.0.1"},

		// Nexus, Artifactory, GitLab, GitHub, Azure, BaGet.
		{"/repository/nuget/", "/repository/nuget/v3/content/A.B/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0"},
		{"/repository/nuget/", "/repository/nuget/v3/registrations/a.b/index.json", "pkg:nuget/a.b"},
		{"/repository/nuget/", "/repository/nuget/A.B/1.0.0", "pkg:nuget/a.b@1.0.0"},
		{"/artifactory/api/nuget/r/", "/artifactory/api/nuget/r/Download/A.B/1.0.0", "pkg:nuget/a.b@1.0.0"},
		{"/artifactory/api/nuget/v3/r/", "/artifactory/api/nuget/v3/r/registration-semver2/a.b/index.json", "pkg:nuget/a.b"},
		{"/api/v4/projects/7/packages/nuget/", "/api/v4/projects/7/packages/nuget/download/A.B/index.json", "pkg:nuget/a.b"},
		{"/api/v4/projects/7/packages/nuget/", "/api/v4/projects/7/packages/nuget/download/A.B/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0"},
		{"/api/v4/projects/7/packages/nuget/", "/api/v4/projects/7/packages/nuget/metadata/A.B/index", "pkg:nuget/a.b"},
		{"/api/v4/projects/7/packages/nuget/", "/api/v4/projects/7/packages/nuget/metadata/A.B/1.0.0", "pkg:nuget/a.b@1.0.0"},
		{"/o/", "/o/download/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0"},
		{"/o/", "/o/a.b/index.json", "pkg:nuget/a.b"},
		{"/o/", "/o/a.b/1.0.0.json", "pkg:nuget/a.b@1.0.0"},
		{"/", "/v3/package/a.b/1.0.0/a.b.1.0.0.nupkg", "pkg:nuget/a.b@1.0.0"},

		// The feed as a whole.
		{"/", "/v3/index.json", ""},
		{"/o/", "/o/v3/index.json", ""},
		{"/o/", "/o/index.json", ""},
		{"/", "/query", ""},
		{"/", "/api/v2/$metadata", ""},
		{"/", "/api/v2/FindPackagesById()", ""},

		{"/", "/v3-flatcontainer/a/1.0.0/b.1.0.0.nupkg", ""},
		{"/", "/v3-flatcontainer/a/1.0.0/a.1.0.1.nupkg", ""},
		{"/", "/v3-flatcontainer/a/1.0.0/a.1.0.0.nupkg/x", ""},
		{"/", "/v3-flatcontainer/a%2Fb/1.0.0/a%2Fb.1.0.0.nupkg", ""},
		{"/", "/v3-flatcontainer/a/%2A/a.%2A.nupkg", ""},
		{"/", "/packages/a.1.0.0.nupkg", ""},
		{"/", "/a/index.json", ""},
		{"/", "/other/a/index.json", ""},
		{"/", "/a/1.0.0", ""},
		{"/", "/api/v2/package/a", ""},
		{"/", "/api/v2/package/a/latest", ""},
		{"/", "/api/v2/package/1.0.0.0.0/1.0.0.0.0", ""},
		{"/", "/api/v2/Packages(Id='a')", ""},
		{"/", "/api/v2/Packages(Id='a',Version='1.0',Version='2.0')", ""},
		{"/", "/api/v2/Packages(Id='a%27,Version='1.0')", "pkg:nuget/a@1.0"},
		{"/", "/v3/registration5/a/page/1.0.0/x.json", ""},
		{"/", "/v3/other/a/page/1.0.0/2.0.0.json", ""},
	})
}
