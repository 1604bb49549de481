package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func testDestination(path string) destination {
	return destination{"https", "cdn.test", 443, path, "q", true}
}

func TestRedirectsForget(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	known := func(rs *redirects, path string) bool {
		via, _ := rs.ledTo(testDestination(path))
		return len(via) > 0
	}
	t.Run("the oldest, when there are too many", func(t *testing.T) {
		var rs redirects
		for i := range maxRedirects {
			rs.remember(testDestination(fmt.Sprint("/", i)), "https://ok.test/", true)
		}
		rs.remember(testDestination("/0"), "https://ok.test/", true) // the last one now
		rs.remember(testDestination("/new"), "https://ok.test/", true)
		if !known(&rs, "/0") || known(&rs, "/1") || !known(&rs, "/2") || !known(&rs, "/new") || rs.order.Len() != maxRedirects || len(rs.led) != maxRedirects {
			t.Errorf("%d kept", rs.order.Len())
		}
	})
	t.Run("the oldest, when they take too much", func(t *testing.T) {
		var rs redirects
		long := strings.Repeat("x", maxLocation-100)
		for i := range 2 * maxRedirectBytes / maxLocation {
			rs.remember(testDestination(fmt.Sprint("/", i, long)), "https://ok.test/"+long[:i%1000], true)
		}
		n := rs.order.Len()
		if known(&rs, "/0"+long) || n < maxRedirectBytes/maxLocation/2 || n > maxRedirectBytes/maxLocation+20 || rs.bytes > maxRedirectBytes {
			t.Errorf("%d kept, of %d bytes", n, rs.bytes)
		}
		for rs.order.Len() > 0 {
			rs.forget(rs.order.Front())
		}
		if rs.bytes != 0 || len(rs.led) != 0 {
			t.Errorf("%d bytes of %d redirects are left of nothing", rs.bytes, len(rs.led))
		}
	})
	t.Run("when they are old", func(t *testing.T) {
		rs := redirects{now: func() time.Time { return now }}
		rs.remember(testDestination("/a"), "https://ok.test/1", true)
		now = now.Add(longestRedirect)
		if !known(&rs, "/a") {
			t.Error("forgotten too early")
		}
		rs.remember(testDestination("/a"), "https://ok.test/2", true)
		now = now.Add(time.Second)
		if via, last := rs.ledTo(testDestination("/a")); len(via) != 1 || via[0] != "https://ok.test/2" || last != via[0] {
			t.Errorf("led to via %q", via)
		}
		now = now.Add(longestRedirect)
		if via, last := rs.ledTo(testDestination("/a")); via != nil || last != "" {
			t.Errorf("led to via %q, %q", via, last)
		}
		rs.remember(testDestination("/b"), "https://ok.test/1", true)
		if rs.order.Len() != 1 {
			t.Errorf("%d kept", rs.order.Len())
		}
	})
	t.Run("what redirected first, of many", func(t *testing.T) {
		var rs redirects
		for i := range 100 {
			rs.remember(testDestination("/a"), fmt.Sprint("https://ok.test/", i%(maxRedirectors+1)), true)
		}
		var want []string
		for i := 100 - maxRedirectors; i < 100; i++ {
			want = append(want, fmt.Sprint("https://ok.test/", i%(maxRedirectors+1)))
		}
		if via, _ := rs.ledTo(testDestination("/a")); !slices.Equal(via, want) {
			t.Errorf("led to via %q, want %q", via, want)
		}
		before := rs.bytes
		rs.remember(testDestination("/a"), want[3], true)
		if via, last := rs.ledTo(testDestination("/a")); len(via) != maxRedirectors || last != want[3] || rs.bytes != before {
			t.Errorf("led to via %q, of %d bytes", via, rs.bytes)
		}
	})
	t.Run("what is too long", func(t *testing.T) {
		var rs redirects
		if rs.remember(testDestination("/a"), "https://ok.test/"+strings.Repeat("x", maxLocation), true); known(&rs, "/a") {
			t.Error("remembered")
		}
	})
}

// TestRedirectsAreExact has what is another URL than the one remembered.
func TestRedirectsAreExact(t *testing.T) {
	var rs redirects
	d := destination{"https", "cdn.test", 443, "/a", "", false}
	rs.remember(d, "https://denied.test/", false)
	if via, last := rs.ledTo(d); via != nil || last != "https://denied.test/" {
		t.Errorf("a request that no policy let pass leads to via %q, %q", via, last)
	}
	rs.remember(d, "https://ok.test/", true)
	if via, _ := rs.ledTo(d); !slices.Equal(via, []string{"https://ok.test/"}) {
		t.Errorf("led to via %q", via)
	}
	for _, other := range []destination{
		{"http", "cdn.test", 443, "/a", "", false}, {"https", "cdn.test.", 443, "/a", "", false}, {"https", "cdn.test", 444, "/a", "", false},
		{"https", "cdn.test", 443, "/a/", "", false}, {"https", "cdn.test", 443, "/A", "", false}, {"https", "cdn.test", 443, "/a", "", true},
		{"https", "cdn.test", 443, "/a", "x", true}, {"wss", "cdn.test", 443, "/a", "", false},
	} {
		if via, last := rs.ledTo(other); via != nil || last != "" {
			t.Errorf("%+v is led to via %q", other, via)
		}
	}
}
