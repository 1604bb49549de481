package launch

import (
	"bufio"
	"fmt"
	"os"
	osuser "os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/juliendoutre/proxaudit/enforce/isolate/privilege"
)

// User is who the command runs as, and how that is spelled for a new user
// namespace: every ID that exists inside is the same one outside.
type User struct {
	// Root is true when the command keeps being root of the host.
	Root bool
	// Keep are the capabilities that it keeps.
	Keep privilege.Set
	// Groups are all those of who called sudo, the strong ones, which the command
	// does not have, too.
	Groups     []uint32
	uids, gids []syscall.SysProcIDMap
	setgroups  bool
	credential *syscall.Credential
	// env replaces variables that still name root.
	env map[string]string
}

// strongGroups make their members root of the machine in all but name. They are
// left behind under sudo, where that can be done.
var strongGroups = []string{"docker", "lxd", "incus", "libvirt", "disk", "sudo", "wheel", "adm"}

// whichUser chooses. An ordinary user stays as they are. Root stays root,
// unless sudo says who called it.
func whichUser(keepRoot bool) (User, error) {
	if os.Geteuid() != 0 {
		uid, gid := os.Geteuid(), os.Getegid()
		return User{uids: same(uid), gids: same(gid)}, nil
	}
	if name := os.Getenv("SUDO_UID"); name != "" && !keepRoot {
		uid, err := strconv.Atoi(name)
		if err != nil || uid < 0 {
			return User{}, fmt.Errorf("SUDO_UID is %q", name)
		}
		if uid != 0 {
			return sudoUser(uid)
		}
	}
	uids, err := everyID("/proc/self/uid_map")
	if err != nil {
		return User{}, err
	}
	gids, err := everyID("/proc/self/gid_map")
	if err != nil {
		return User{}, err
	}
	return User{Root: true, uids: uids, gids: gids, setgroups: true, Keep: privilege.Root}, nil
}

// Foreign reports whether the command may have other rights than this program.
func (u User) Foreign() bool { return u.Root || u.credential != nil }

// mapIDs maps the IDs of a process that was started without
// (user_namespaces(7), "User and group ID mappings"). It waits for a plan
// meanwhile, and does nothing.
func (u User) mapIDs(pid int) error {
	if u.credential != nil {
		return nil // it was started with
	}
	groups := "deny" // what setgroups(2) takes away could be a refusal
	if u.setgroups {
		groups = "allow"
	}
	for _, f := range []struct{ name, content string }{
		{"uid_map", lines(u.uids)}, {"setgroups", groups}, {"gid_map", lines(u.gids)},
	} {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, f.name), []byte(f.content), 0); err != nil {
			return err
		}
	}
	return nil
}

func lines(ids []syscall.SysProcIDMap) string {
	var b strings.Builder
	for _, m := range ids {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	return b.String()
}

func same(id int) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{{ContainerID: id, HostID: id, Size: 1}}
}

// everyID maps all IDs of this user namespace onto themselves
// (user_namespaces(7), "User and group ID mappings").
func everyID(path string) ([]syscall.SysProcIDMap, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []syscall.SysProcIDMap
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) != 3 {
			continue
		}
		first, err1 := strconv.Atoi(fields[0])
		size, err2 := strconv.Atoi(fields[2])
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("read %s: %q", path, s.Text())
		}
		all = append(all, syscall.SysProcIDMap{ContainerID: first, HostID: first, Size: size})
	}
	return all, nil
}

// sudoUser is who called sudo, with their groups but for the strong ones.
func sudoUser(uid int) (User, error) {
	account, err := osuser.LookupId(strconv.Itoa(uid))
	if err != nil {
		return User{}, fmt.Errorf("find the user who called sudo: %w", err)
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return User{}, fmt.Errorf("group of %s: %w", account.Username, err)
	}
	u := User{uids: same(uid), gids: same(gid), setgroups: true,
		credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		env: map[string]string{
			"HOME": account.HomeDir, "USER": account.Username, "LOGNAME": account.Username, "MAIL": "",
		}}
	names, err := account.GroupIds()
	if err != nil {
		return u, nil // without further groups there is only less to reach
	}
	for _, name := range names {
		id, err := strconv.Atoi(name)
		g, lookupErr := osuser.LookupGroupId(name)
		if err != nil || lookupErr != nil || id == gid || id == 0 {
			continue
		}
		u.Groups = append(u.Groups, uint32(id))
		if slices.Contains(strongGroups, g.Name) {
			continue
		}
		u.gids = append(u.gids, same(id)...)
		u.credential.Groups = append(u.credential.Groups, uint32(id))
	}
	return u, nil
}

// Environ returns env with the user's own variables.
func (u User) Environ(env []string) []string {
	if len(u.env) == 0 {
		return env
	}
	var out []string
	for _, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		v, replaced := u.env[k]
		switch {
		case !replaced:
			out = append(out, kv)
		case v != "":
			out = append(out, k+"="+v)
		}
	}
	return out
}
