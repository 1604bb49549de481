package isolate

import (
	"encoding/json"
	"os"
	"testing"
)

// FuzzUnpack: whatever a jail says it hands out, each of its files goes to one
// place, or all of it is refused.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte(`{"Counts":[1,1,1,2]}`), uint8(7))
	f.Add([]byte(`{"Counts":[5,-3,0,0]}`), uint8(4))
	f.Add([]byte(`{"Counts":[9223372036854775807,9223372036854775807,2,0]}`), uint8(2))
	f.Add([]byte(`{"Counts":[0,1,1,1]}`), uint8(5))
	f.Add([]byte(`{"Counts":[1]}`), uint8(3))
	f.Add([]byte(`{"Failed":{"Errno":1}}`), uint8(0))
	f.Add([]byte(`{"Exited":-1,"Signal":64,"Kind":9}`), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, count uint8) {
		var m message
		if json.Unmarshal(data, &m) != nil {
			return
		}
		files := make([]*os.File, count)
		for i := range files {
			files[i] = new(os.File)
		}
		h, err := unpack(m, files)
		if err != nil {
			return
		}
		seen := map[*os.File]bool{h.diag: true, h.proc: true}
		for _, part := range [][]*os.File{h.tcp, h.dnsTCP, h.dnsUDP, h.icmp} {
			for _, file := range part {
				seen[file] = true
			}
		}
		handed := 2 + len(h.tcp) + len(h.dnsTCP) + len(h.dnsUDP) + len(h.icmp)
		if len(h.tcp) == 0 || handed != int(count) || len(seen) != handed {
			t.Fatalf("%s with %d files: %d went to %d places", data, count, len(seen), handed)
		}
	})
}
