package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"consentledger/eventstore/vault"
)

// A project is docker-compose.yml with some of its profiles, as Compose loads it.
type project struct {
	Services map[string]service
	Networks map[string]struct{ Internal bool }
	Volumes  map[string]struct{ External bool }
	Secrets  map[string]struct{ File string }
}

type service struct {
	Image       string
	Build       *struct{ Context, Dockerfile string }
	Command     []string
	Environment map[string]*string
	Restart     string
	User        string
	ReadOnly    bool     `json:"read_only"`
	CapAdd      []string `json:"cap_add"`
	CapDrop     []string `json:"cap_drop"`
	SecurityOpt []string `json:"security_opt"`
	Privileged  bool
	Networks    map[string]any
	Deploy      struct {
		Resources struct {
			Limits struct {
				CPUs   float64 `json:"cpus"`
				Memory string
				Pids   int
			}
		}
	}
	Ports       []published
	Volumes     []mount
	Secrets     []struct{ Source, Target string }
	DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
	HealthCheck *struct {
		Test    []string
		Disable bool
	}
}

type published struct {
	HostIP    string `json:"host_ip"`
	Published string
}

type mount struct {
	Type, Source, Target string
	ReadOnly             bool `json:"read_only"`
}

// deployment lays docker-compose.yml and what belongs to it into a directory, with the
// secrets that its script makes.
func deployment(t *testing.T) string {
	t.Helper()
	deployed.Do(func() { deployed.dir, deployed.err = deploy() })
	if deployed.err != nil {
		t.Fatal(deployed.err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("cp", "-a", deployed.dir+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	return dir
}

// deployed is what every test gets a copy of: making keys takes its time.
var deployed struct {
	sync.Once
	dir string
	err error
}

func deploy() (string, error) {
	dir, err := os.MkdirTemp("", "consentledger-deployed-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"Dockerfile", "docker-compose.yml"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			return dir, err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "cmd", "compose"), os.DirFS("../compose")); err != nil {
		return dir, err
	}
	return dir, makeSecrets(dir)
}

func makeSecrets(dir string) error {
	c := exec.Command("sh", filepath.Join(dir, "cmd", "compose", "secrets.sh"))
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("secrets.sh: %w\n%s", err, out)
	}
	return nil
}

// compose loads the project of a deployment with profiles.
func compose(t *testing.T, dir string, profiles ...string) (p project) {
	t.Helper()
	deployTool(t, "", &p, append([]string{"compose", filepath.Join(dir, "docker-compose.yml")}, profiles...)...)
	return p
}

func TestEveryProfileOfTheComposeFile(t *testing.T) {
	t.Parallel()
	dir := deployment(t)
	want := map[string][]string{
		"single":  {"ledger"},
		"cluster": {"esdb1", "esdb2", "esdb3", "ledger1", "ledger2", "nats1", "nats2", "nats3", "postgres", "proxy"},
		"observe": {"collector", "grafana", "prometheus"},
	}
	for profile, names := range want {
		t.Run(profile, func(t *testing.T) {
			p := compose(t, dir, profile)
			got := []string{}
			for name, s := range p.Services {
				got = append(got, name)
				t.Run(name, func(t *testing.T) { checkService(t, dir, p, s) })
			}
			if slices.Sort(got); !slices.Equal(got, names) {
				t.Errorf("it has %v, want %v", got, names)
			}
		})
	}
}

// tags are those that name one image: a release in full, and a variant.
var tags = regexp.MustCompile(`^[a-z0-9./-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9.-]+)?$`)

func checkService(t *testing.T, dir string, p project, s service) {
	if ours := s.Image == "consentledger:local"; ours != (s.Build != nil) || !ours && !tags.MatchString(s.Image) {
		t.Errorf("the image is %s: want a pinned tag, or our own, which is built", s.Image)
	}
	if h := s.HealthCheck; h == nil || h.Disable || len(h.Test) < 2 || h.Test[0] != "CMD" {
		t.Errorf("the health check is %v: want a command", h)
	}
	if l := s.Deploy.Resources.Limits; l.CPUs <= 0 || l.Pids <= 0 || !regexp.MustCompile(`^[1-9][0-9]{7,}$`).MatchString(l.Memory) {
		t.Errorf("the limits are %+v: want some of each", l)
	}
	if s.Restart != "unless-stopped" && s.Restart != "always" {
		t.Errorf("the restart policy is %q", s.Restart)
	}
	if s.Privileged || len(s.CapAdd) > 0 || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("it may do more than it has to: %v %v %v", s.CapAdd, s.CapDrop, s.SecurityOpt)
	}
	for other, d := range s.DependsOn {
		on, there := p.Services[other]
		if !there || d.Condition != "service_healthy" || on.HealthCheck == nil {
			t.Errorf("it waits until %s is %s", other, d.Condition)
		}
	}

	checkPorts(t, p, s)
	checkMounts(t, dir, p, s)
	if s.Build != nil {
		checkLedger(t, s)
	}
}

// checkPorts fails unless ports are this machine's alone.
func checkPorts(t *testing.T, p project, s service) {
	t.Helper()
	outside := false
	for name := range s.Networks {
		network, there := p.Networks[name]
		outside = outside || !network.Internal
		if !there || name == "default" {
			t.Errorf("it is in the network %s: want one that is named", name)
		}
	}
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" || port.Published == "" {
			t.Errorf("port %q is published on %q: whoever reaches it is not authenticated", port.Published, port.HostIP)
		}
		if !outside {
			t.Errorf("port %s is published, and all networks are internal: nobody reaches it", port.Published)
		}
	}
}

// checkMounts fails unless files are there and cannot be written, and everything else
// is a volume that has a name.
func checkMounts(t *testing.T, dir string, p project, s service) {
	t.Helper()
	for _, m := range s.Volumes {
		_, named := p.Volumes[m.Source]
		switch m.Type {
		case "volume":
			if !named || p.Volumes[m.Source].External {
				t.Errorf("%s is kept in %q: want a volume with a name", m.Target, m.Source)
			}
		case "bind":
			if _, err := os.Stat(m.Source); err != nil || !m.ReadOnly || !strings.HasPrefix(m.Source, filepath.Join(dir, "cmd", "compose")) {
				t.Errorf("%s is mounted on %s, read-only: %v, %v", m.Source, m.Target, m.ReadOnly, err)
			}
		default:
			t.Errorf("%s is mounted as %s", m.Target, m.Type)
		}
	}

	for _, secret := range s.Secrets {
		file := p.Secrets[secret.Source].File
		info, err := os.Stat(file)
		switch {
		case err != nil:
			t.Errorf("the secret %s is not made: %v", secret.Source, err)
		case info.Size() == 0:
			t.Errorf("the secret %s is empty", secret.Source)
		case secret.Source == "keys" && info.Mode().Perm() != 0o400 || secret.Source != "keys" && info.Mode().Perm() != 0o444:
			t.Errorf("the secret %s has mode %v", secret.Source, info.Mode())
		}
	}
	if s.Environment["GF_SECURITY_ADMIN_PASSWORD"] != nil || s.Environment["POSTGRES_PASSWORD"] != nil {
		t.Error("a password is in the environment")
	}
}

// checkLedger holds the ledger's command and variables to the program.
func checkLedger(t *testing.T, s service) {
	t.Helper()
	i := readImage(t)
	if !slices.Equal(s.HealthCheck.Test, i.health) || !s.ReadOnly {
		t.Errorf("its health check is %v, the image's %v; it may write to its image: %v", s.HealthCheck.Test, i.health, !s.ReadOnly)
	}
	data := slices.ContainsFunc(s.Volumes, func(m mount) bool { return slices.Contains(i.volumes, m.Target) })
	if !data {
		t.Errorf("its data are in no volume: %v", s.Volumes)
	}

	understood(t, newRoot(), s.Command)
	if c := serveOf(t, s.Command[1:]); c.CheckAccess() != nil || !c.Access.Authenticate {
		t.Errorf("it does not start, or lets everybody in: %v", c.CheckAccess())
	}
	source := sources(t)
	for name := range s.Environment {
		if !strings.Contains(source, strconv.Quote(name)) && !strings.HasPrefix(name, "OTEL_EXPORTER_OTLP_") {
			t.Errorf("the program does not read %s", name)
		}
	}
}

// sources returns the program's text, without tests.
func sources(t *testing.T) string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.go", "../internal/server/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, names...)
	}
	var all strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// Several profiles at once, as people run them, take no port or address twice.
func TestProfilesRunBesideEachOther(t *testing.T) {
	t.Parallel()
	dir := deployment(t)
	for _, profiles := range [][]string{{"single", "observe"}, {"cluster", "observe"}} {
		taken := map[string]string{}
		for name, s := range compose(t, dir, profiles...).Services {
			for _, port := range s.Ports {
				if other := taken[port.Published]; other != "" {
					t.Errorf("%v: %s and %s both publish port %s", profiles, name, other, port.Published)
				}
				taken[port.Published] = name
			}
			for network, how := range s.Networks {
				if fixed := fmt.Sprint(how); strings.Contains(fixed, "ipv4_address") {
					if other := taken[network+fixed]; other != "" {
						t.Errorf("%v: %s and %s have one address: %s", profiles, name, other, fixed)
					}
					taken[network+fixed] = name
				}
			}
		}
	}
}

// What is there stays as it is: a second run of the script makes nothing anew, and what
// was lost alone.
func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := deployment(t)
	read := func() map[string]string {
		all := map[string]string{}
		files, err := os.ReadDir(filepath.Join(dir, "secrets"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(dir, "secrets", f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all[f.Name()] = string(text)
		}
		return all
	}

	if info, err := os.Stat(filepath.Join(dir, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory of secrets: %v, %v", info.Mode(), err)
	}
	if _, err := vault.OpenFileKeys(filepath.Join(dir, "secrets", "keys")); err != nil {
		t.Errorf("the ledger cannot read the keys: %v", err)
	}
	before := read()
	if err := os.Remove(filepath.Join(dir, "secrets", "grafana_admin")); err != nil {
		t.Fatal(err)
	}
	if err := makeSecrets(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range read() {
		if was := before[name]; was == "" || (was == text) == (name == "grafana_admin") {
			t.Errorf("%s was %d bytes, and is made anew: %v", name, len(was), was != text)
		}
	}
}
