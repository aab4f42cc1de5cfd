package natscontext

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes a context in a directory of the test's own.
func write(t *testing.T, name, text string) {
	t.Helper()
	root := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", root)
	dir := filepath.Join(root, "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAContextSaysHowAServerIsReached(t *testing.T) {
	t.Setenv("THE_PASSWORD", "from the environment")
	t.Setenv("THE_DIR", "/run/secrets")
	own := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(own, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for text, want := range map[string]Context{
		`{}`: {URL: "nats://127.0.0.1:4222"},
		`{"url":"nats://a:1,nats://b:2","user":"ada","password":"p://w","color_scheme":"red","description":"d","jetstream_event_prefix":"x"}`: {
			URL: "nats://a:1,nats://b:2", User: "ada", Password: "p://w",
		},
		`{"url":"tls://a:1","user":"ada","password":"env://THE_PASSWORD","tls_first":true,"ca":"$THE_DIR/ca.pem"}`: {
			URL: "tls://a:1", User: "ada", Password: "from the environment", TLSFirst: true, CA: "/run/secrets/ca.pem",
		},
		`{"url":"nats://a:1","token":"file://` + own + `"}`:          {URL: "nats://a:1", Token: "from a file"},
		`{"url":"nats://a:1","creds":"file://$THE_DIR/user.creds"}`:  {URL: "nats://a:1", Creds: "/run/secrets/user.creds"},
		`{"url":"nats://a:1","nkey":"/k.nk","cert":"/c","key":"/k"}`: {URL: "nats://a:1", Nkey: "/k.nk", Cert: "/c", Key: "/k"},
		`{"url":"nats://a:1","user_jwt":"ey","user_seed":"SU"}`:      {URL: "nats://a:1", JWT: "ey", Seed: "SU"},
	} {
		write(t, "ledger", text)
		got, err := Read("ledger")
		want.Path = got.Path
		if err != nil || got != want || !strings.HasSuffix(got.Path, "/nats/context/ledger.json") {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := Read(got.Path); err != nil || again != got {
			t.Errorf("by its path: %+v, %v", again, err)
		}
	}
	if names := Names(); !slices.Equal(names, []string{"ledger"}) {
		t.Errorf("there are %v", names)
	}
}

func TestWhatIsNotTakenIsNamed(t *testing.T) {
	for text, says := range map[string]string{
		`no JSON`: "it is not JSON",
		`{"socks_proxy":"socks5://127.0.0.1:1080"}`:   "socks_proxy is not taken here",
		`{"inbox_prefix":"_INBOX_ann"}`:               "inbox_prefix is not taken here",
		`{"jetstream_domain":"hub"}`:                  "jetstream_domain is not taken here",
		`{"jetstream_api_prefix":"$JS.x"}`:            "jetstream_api_prefix is not taken here",
		`{"nsc":"nsc://o/a/u"}`:                       "nsc is not taken here",
		`{"windows_cert_store":"user"}`:               "windows_cert_store is not taken here",
		`{"creds":"op://vault/item"}`:                 "creds: op:// is not taken here",
		`{"nkey":"env://SEED"}`:                       "nkey: env:// is not taken here",
		`{"password":"op://secret-place","user":"a"}`: "password: op:// is not taken here",
		`{"token":"env://NO_SUCH_VARIABLE"}`:          "NO_SUCH_VARIABLE, which it names, is not set",
		`{"token":"file:///nosuch/token"}`:            "/nosuch/token",
		`{"user":"a","creds":"/c"}`:                   "each say who the ledger is",
		`{"user_jwt":"ey"}`:                           "user_jwt and user_seed go together",
		`{"ca":"data://x"}`:                           "want the path of a file",
	} {
		write(t, "ledger", text)
		if _, err := Read("ledger"); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret-place") {
			t.Errorf("%s: %v, want %s", text, err, says)
		}
	}

	write(t, "ledger", `{}`)
	if _, err := Read("other"); err == nil || !strings.Contains(err.Error(), "there are ledger") {
		t.Errorf("a context that there is not: %v", err)
	}
}
