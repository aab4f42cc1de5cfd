package buildinfo

import (
	"runtime/debug"
	"testing"
)

// Without the linker's stamp the build tells its version.
func TestABuildTellsItsVersion(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	changed := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for want, info := range map[string]debug.BuildInfo{
		"v1.2.3":             {Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{commit}},
		"0123456789ab":       {Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{commit}},
		"0123456789ab-dirty": {Settings: []debug.BuildSetting{commit, changed}},
		"development":        {Main: debug.Module{Version: "(devel)"}},
	} {
		if got := builtVersion(&info, true); got != want {
			t.Errorf("%+v: %s, want %s", info, got, want)
		}
	}
	if got := builtVersion(nil, false); got != "development" {
		t.Errorf("a program that knows nothing of itself is %s", got)
	}
	if Version == "" {
		t.Error("this program has no version")
	}
}
