package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker in releases: -ldflags "-X main.version=v2.0.0".
var version string

// versionName is the version that was built, as far as the binary knows.
func versionName() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// versionText names the version, the Go release and the platform.
func versionText() string {
	return fmt.Sprintf("proxaudit %s %s %s/%s", versionName(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
