package allowlist

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool asks an ecosystem's own program which versions are in which ranges.
type tool struct {
	typ              string
	program          string
	ranges, versions string // separated by spaces; in ranges _ is a space
	// run returns, for each range and each version, what the program says.
	run func(t *testing.T, program string, ranges, versions []string) [][]bool
}

func tools() []tool {
	return []tool{
		{"npm", "node",
			">=4.17.21_<5 ^4.17.21 ~4.17.1 ^0.2.3 ^0.0.3 1.2.3_-_2.3.4 ^1||^3 >=2.0.0-rc.1_<3 <=4 >1.2 =1.2.3 <4.17.21-rc.2",
			"0.0.3 0.0.4 0.2.3 0.2.9 0.3.0 1.2.0 1.2.3 1.9.9 2.0.0 2.0.0-rc.1 2.0.0-beta 2.3.4 2.3.5 2.5.0-rc.1 3.0.0 3.1.0-a 4.0.0 4.17.20 4.17.21 4.17.21-rc.1 4.17.22 4.18.0 5.0.0-beta 5.0.0 40.0.0 nonsense",
			runNode},
		{"pypi", "python3",
			">=2.0,<3 <4 ~=2.1 ~=2.1.3 ==2.* ==2.1 >=2.0rc1,<3 !=2.1,>1 >=1!2.0 <=2.1.post1 >2.0.dev1",
			"0.9 1 1.0.post1 1.5 2.0 2.0rc1 2.0b1 2.0.dev1 2.0.dev2 2.1 2.1.0 2.1.3 2.1.9 2.1.post1 2.1+local 2.2 2.5rc1 2.10 3 3.0rc1 4.0.dev1 4 1!2.0 1!3 1!1 nonsense",
			runPython},
		{"gem", "ruby",
			">=_1,<_2 ~>_1.2 ~>_1.2.3 !=_1.5 <_2 >=_2.0.a =_1.2",
			"0.9 1 1.0 1.2 1.2.3 1.2.9 1.3 1.5 1.9.9 2.0.a 2.0 2.0.1 10 1.5.0.rc1",
			runRuby},
		{"composer", "composer",
			">=1.2_<2 ^1.2 ^0.3 ^0.0.3 ~1.2 ~1.2.3 ~1 ^1.2||^3 >=1.0-RC1,<2 >1.2 <=1.2 =1.2 !=1.5,<2 <2.0-beta2 >=1.5-p1",
			"0.0.3 0.0.4 0.2.9 0.3.0 0.3.9 1 1.0 1.0-alpha2 1.0-beta3 1.0RC1 1.0-RC1-dev 1.0-RC2 1.2 v1.2.0 1.2.0.0 1.2.0-dev 1.2.0-beta1 1.2-p1 1.2.3 1.2.3.4 1.2.9 1.3 1.5 1.5-patch2 1.9.9 1.10 2.0-dev 2.0-beta1 2.0-beta.3 2.0 2.0.1 3.0 3.1-a 10 1.5+build",
			runComposer},
		{"maven", "java",
			">=1.0_<2.0 >1 <=1.5 =1.5 >=1.0-rc1_<2",
			"0.9 1 1.0 1.0-rc1 1.0-alpha-1 1.0-SNAPSHOT 1.5 1.5.0 1.5-jre 1.5.1 1.10 2.0-alpha-1 2.0-SNAPSHOT 2.0 2.0.1 20 1.0-sp-1 1.0-1 1.5-20240101.010101-1",
			runMaven},
		{"deb", "dpkg",
			">=7.88.1_<8 >=1.0-1_<1.0-10 =1.0-1 !=1.0 >1.0~rc1",
			"0.9 1.0 1.0-1 1.0-1+b1 1.0-2 1.0-10 1.0~rc1 1.0~rc1-1 1.0a 1.0+dfsg-1 7.88 7.88.1 7.88.1-10+deb12u5 7.88.1~bpo1 8~rc1 8 10 1:0.5 00001.0 20240101120000000000001 20240101120000000000002",
			runDpkg},
	}
}

// TestRangesAsTheirTools checks that an allow rule lets in nothing that the
// ecosystem's own program keeps out, nor a deny rule let through what it finds in
// the range. Where the two differ, an allow rule is the stricter.
func TestRangesAsTheirTools(t *testing.T) {
	for _, tool := range tools() {
		t.Run(tool.typ, func(t *testing.T) {
			program, err := exec.LookPath(tool.program)
			if err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("under CI this must run: %v", err)
				}
				t.Skip(err)
			}
			ranges := strings.Fields(tool.ranges)
			for i := range ranges {
				ranges[i] = strings.ReplaceAll(ranges[i], "_", " ")
			}
			versions := strings.Fields(tool.versions)
			answers := tool.run(t, program, ranges, versions)
			allowed, agreed := 0, 0
			for i, text := range ranges {
				r, err := newRange(tool.typ, text)
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				for j, version := range versions {
					strict, known := r.contains(version, false)
					loose, _ := r.contains(version, true)
					allow, deny := strict && known, loose || !known
					if allow && !answers[i][j] {
						t.Errorf("%s lets %s in, %s does not", text, version, tool.program)
					}
					if answers[i][j] && !deny {
						t.Errorf("%s as a deny rule lets %s through, %s says it is in", text, version, tool.program)
					}
					if allow {
						allowed++
					}
					if allow == answers[i][j] {
						agreed++
					}
				}
			}
			t.Logf("%d of %d answers are the same, %d versions allowed", agreed, len(ranges)*len(versions), allowed)
			if agreed*10 < len(ranges)*len(versions)*8 || allowed < len(ranges) {
				t.Errorf("%d of %d answers are the same, %d versions allowed: that is hardly the same order", agreed, len(ranges)*len(versions), allowed)
			}
		})
	}
}

// ask runs a script that prints a list for each range.
func ask(t *testing.T, ranges, versions []string, env []string, program string, args ...string) [][]bool {
	t.Helper()
	question, err := json.Marshal([][]string{ranges, versions})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(string(question))
	cmd.Env = append(os.Environ(), env...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, errs.String())
	}
	var answers [][]bool
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return answers
}

// runNode asks the semver package that npm itself resolves with.
func runNode(t *testing.T, node string, ranges, versions []string) [][]bool {
	path := "/usr/share/nodejs"
	if npm, err := exec.LookPath("npm"); err == nil {
		if npm, err = filepath.EvalSymlinks(npm); err == nil {
			path += ":" + filepath.Join(filepath.Dir(npm), "..", "node_modules")
		}
	}
	return ask(t, ranges, versions, []string{"NODE_PATH=" + path}, node, "-e", `
const semver = require("semver");
const [ranges, versions] = JSON.parse(require("fs").readFileSync(0));
console.log(JSON.stringify(ranges.map(r => versions.map(v => semver.satisfies(v, r)))));`)
}

// runPython asks the packaging library that pip carries.
func runPython(t *testing.T, python string, ranges, versions []string) [][]bool {
	return ask(t, ranges, versions, nil, python, "-c", `
import json, sys
try:
    from pip._vendor.packaging.specifiers import SpecifierSet
    from pip._vendor.packaging.version import Version, InvalidVersion
except ImportError: # where a distribution takes pip's libraries out
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version, InvalidVersion
def valid(v):
    try:
        Version(v)
        return True
    except InvalidVersion:
        return False
ranges, versions = json.load(sys.stdin)
print(json.dumps([[valid(v) and SpecifierSet(r).contains(v) for v in versions] for r in ranges]))`)
}

func runRuby(t *testing.T, ruby string, ranges, versions []string) [][]bool {
	return ask(t, ranges, versions, nil, ruby, "-rjson", "-e", `
ranges, versions = JSON.parse(STDIN.read)
puts JSON.dump(ranges.map { |r| q = Gem::Requirement.new(r.split(",")); versions.map { |v| q.satisfied_by?(Gem::Version.new(v)) } })`)
}

// runComposer asks the library that Composer resolves with, which Debian puts
// beside it and others pack into it.
func runComposer(t *testing.T, composer string, ranges, versions []string) [][]bool {
	return ask(t, ranges, versions, []string{"COMPOSER=" + composer}, "php", "-r", `
$debian = "/usr/share/php/Composer/Semver/autoload.php";
require file_exists($debian) ? $debian : "phar://" . realpath(getenv("COMPOSER")) . "/vendor/autoload.php";
[$ranges, $versions] = json_decode(stream_get_contents(STDIN));
echo json_encode(array_map(fn($r) => array_map(fn($v) => Composer\Semver\Semver::satisfies($v, $r), $versions), $ranges));`)
}

// runMaven asks Maven's own comparison of two versions.
func runMaven(t *testing.T, java string, ranges, versions []string) [][]bool {
	mvn, err := exec.LookPath("mvn")
	if err == nil {
		mvn, err = filepath.EvalSymlinks(mvn)
	}
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-cp", filepath.Join(filepath.Dir(mvn), "..", "lib", "*"), "org.apache.maven.artifact.versioning.ComparableVersion"}
	return byComparing(t, ranges, versions, func(pairs [][2]string) []int {
		asked := args
		for _, p := range pairs {
			asked = append(asked, p[0], p[1])
		}
		out, err := exec.Command(java, asked...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		// Between the versions' own lines stand "   1.0 < 2.0".
		var orders []int
		for line := range strings.Lines(string(out)) {
			if words := strings.Fields(line); strings.HasPrefix(line, "   ") && len(words) == 3 {
				orders = append(orders, map[string]int{"<": -1, "==": 0, ">": 1}[words[1]])
			}
		}
		if len(orders) != 2*len(pairs)-1 {
			t.Fatalf("%d comparisons of %d\n%s", len(orders), 2*len(pairs)-1, out)
		}
		for i := range pairs {
			orders[i] = orders[2*i]
		}
		return orders[:len(pairs)]
	})
}

func runDpkg(t *testing.T, dpkg string, ranges, versions []string) [][]bool {
	return byComparing(t, ranges, versions, func(pairs [][2]string) []int {
		orders := make([]int, len(pairs))
		for i, p := range pairs {
			is := func(op string) bool { return exec.Command(dpkg, "--compare-versions", p[0], op, p[1]).Run() == nil }
			switch {
			case is("lt"):
				orders[i] = -1
			case is("gt"):
				orders[i] = 1
			}
		}
		return orders
	})
}

// byComparing answers comparators by a program that only compares.
func byComparing(t *testing.T, ranges, versions []string, compare func([][2]string) []int) [][]bool {
	t.Helper()
	var pairs [][2]string
	for _, r := range ranges {
		list, ok := readComparators(r)
		if !ok {
			t.Fatal(fmt.Errorf("%q is not made of comparators", r))
		}
		for _, c := range list {
			for _, v := range versions {
				pairs = append(pairs, [2]string{v, c.version})
			}
		}
	}
	orders := compare(pairs)
	answers := make([][]bool, len(ranges))
	for i, r := range ranges {
		list, _ := readComparators(r)
		answers[i] = make([]bool, len(versions))
		for j := range versions {
			answers[i][j] = true
			for k, c := range list {
				answers[i][j] = answers[i][j] && holds(c.op, orders[k*len(versions)+j])
			}
		}
		orders = orders[len(list)*len(versions):]
	}
	return answers
}
