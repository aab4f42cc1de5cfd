package tag

import "testing"

func TestABuildIsAVersion(t *testing.T) {
	for s, want := range map[string]bool{
		"5.2.1+1203": true, "2026.11.28": true, "v7": true, "release-2026-11": true, "a1b2c3d": true, "1": true,
		"": false, "debug": false, "zhang-san": false, "5.2 beta": false, "ada@example.com": false, "13812345678": false, "build-138-1234-5678": false,
		"11010119900307123X": false, "1/2": false,
	} {
		if got := IsBuild(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestALocaleIsALanguageTag(t *testing.T) {
	for s, want := range map[string]bool{
		"en": true, "zh-CN": true, "zh-Hans-CN": true, "de-AT": true, "sr-Latn": true, "es-419": true, "de-1996": true, "EN-us": true,
		"": false, "xx": false, "klingon": false, "zhangsan": false, "zh_CN": false, "zh-x-13812345678": false, "x-private": false, "13812345678": false,
		"en-13812345678": false, "en ": false, "en-XX-": false, "und": false,
	} {
		if got := IsLocale(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}
