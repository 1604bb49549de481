package policy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func networks(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range list {
		out = append(out, netip.MustParsePrefix(n))
	}
	return out
}

// TestFloor has a floor and a project's policy, and what comes of the two.
func TestFloor(t *testing.T) {
	denied := func(rule, reason string) Decision {
		return Decision{Rule: rule, Reason: "the floor denies it: " + reason, Final: true}
	}
	for _, tt := range []struct {
		name           string
		floor, project Decision
		want           Decision
	}{
		{"both allow", Decision{Action: Allow, Rule: "f:1"}, Decision{Action: Allow, Rule: "p:1"}, Decision{Action: Allow, Rule: "p:1"}},
		{"the floor denies", Decision{Action: Deny, Rule: "f:1", Reason: "no"}, Decision{Action: Allow, Rule: "p:1"}, denied("f:1", "no")},
		{"the floor's default denies", Decision{Default: true, Reason: "no rule matches"}, Decision{Action: Allow, Rule: "p:1"}, denied("org.yaml", "no rule matches")},
		{"the floor says nothing", Decision{}, Decision{Action: Allow, Rule: "p:1"}, denied("org.yaml", "no reason is given")},
		{"an unknown action of the floor", Decision{Action: 9}, Decision{Action: Allow}, denied("org.yaml", "no reason is given")},
		{"both deny", Decision{Rule: "f:1", Reason: "no"}, Decision{Rule: "p:1"}, denied("f:1", "no")},
		{"the project denies", Decision{Action: Allow, Rule: "f:1"}, Decision{Rule: "p:1", Reason: "own"}, Decision{Rule: "p:1", Reason: "own"}},
		{"the project's default denies", Decision{Action: Allow, Rule: "f:1"}, Decision{Default: true, Reason: "none"}, Decision{Default: true, Reason: "none"}},
		{"the project denies what the floor logs", Decision{Action: Log, Rule: "f:1"}, Decision{Rule: "p:1"}, Decision{Rule: "p:1"}},
		{"the floor logs", Decision{Action: Log, Rule: "f:1", Reason: "review"}, Decision{Action: Allow, Rule: "p:1"}, Decision{Action: Log, Rule: "f:1", Reason: "review"}},
		{"the project logs", Decision{Action: Allow, Rule: "f:1"}, Decision{Action: Log, Rule: "p:1", Reason: "review"}, Decision{Action: Log, Rule: "p:1", Reason: "review"}},
		{"the floor's default allows", Decision{Action: Allow, Default: true}, Decision{Action: Allow, Rule: "p:1"}, Decision{Action: Allow, Rule: "p:1"}},
		{"the project alone lets pass unread", Decision{Action: Allow}, Decision{Action: Allow, Passthrough: true}, Decision{Action: Allow}},
		{"the floor alone lets pass unread", Decision{Action: Allow, Passthrough: true}, Decision{Action: Allow}, Decision{Action: Allow}},
		{"both let pass unread", Decision{Action: Allow, Passthrough: true}, Decision{Action: Allow, Passthrough: true}, Decision{Action: Allow, Passthrough: true}},
		{"a network of the project alone", Decision{Action: Allow}, Decision{Action: Allow, Networks: networks("10.0.0.0/8")}, Decision{Action: Allow}},
		{"a network within the floor's", Decision{Action: Allow, Networks: networks("10.0.0.0/8")}, Decision{Action: Allow, Networks: networks("10.1.0.0/16", "192.168.0.0/16")}, Decision{Action: Allow, Networks: networks("10.1.0.0/16")}},
		{"a network beyond the floor's", Decision{Action: Allow, Networks: networks("10.1.0.0/16")}, Decision{Action: Allow, Networks: networks("0.0.0.0/0", "::/0")}, Decision{Action: Allow, Networks: networks("10.1.0.0/16")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Floor("org.yaml", always(tt.floor), always(tt.project)).Decide(context.Background(), &Request{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFloorErrors(t *testing.T) {
	broken := Func(func(context.Context, *Request) (Decision, error) {
		return Decision{Action: Allow, Passthrough: true}, errors.New("broken")
	})
	allow := always(Decision{Action: Allow, Passthrough: true})
	for name, p := range map[string]Policy{"floor": Floor("f", broken, allow), "project": Floor("f", allow, broken)} {
		d, err := p.Decide(context.Background(), &Request{})
		if err == nil || d.Action != Deny || d.Passthrough || d.Final != (name == "floor") || !strings.Contains(d.Reason, "broken") {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// TestFloorOnlyNarrows draws policies and holds every answer to what the floor
// alone would have said.
func TestFloorOnlyNarrows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := networks("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "192.168.0.0/16", "fd00::/8", "::/0")
	draw := func() Decision {
		d := Decision{Action: Action(random.IntN(4)), Default: random.IntN(2) == 0, Passthrough: random.IntN(2) == 0}
		for _, n := range all {
			if random.IntN(3) == 0 {
				d.Networks = append(d.Networks, n)
			}
		}
		return d
	}
	opens := func(d Decision, a netip.Addr) bool {
		for _, n := range d.Networks {
			if n.Contains(a) {
				return true
			}
		}
		return false
	}
	strict := map[Action]int{Deny: 0, 9: 0, 3: 0, Log: 1, Allow: 2}
	for range 20_000 {
		floor, outer, p := draw(), draw(), draw()
		d, err := Floor("outer", always(outer), Floor("floor", always(floor), Combine(always(p), always(draw())))).Decide(context.Background(), &Request{})
		if err != nil {
			t.Fatal(err)
		}
		if d.Action == Deny {
			continue
		}
		for _, f := range []Decision{floor, outer} {
			if strict[d.Action] > strict[f.Action] || d.Passthrough && !f.Passthrough {
				t.Fatalf("floor %+v, answer %+v", f, d)
			}
			for _, a := range []string{"10.1.2.3", "10.1.9.9", "10.9.9.9", "192.168.1.1", "fd00::1", "2001:db8::1"} {
				if a := netip.MustParseAddr(a); opens(d, a) && !opens(f, a) {
					t.Fatalf("floor %+v, answer %+v opens %s", f, d, a)
				}
			}
		}
	}
}
