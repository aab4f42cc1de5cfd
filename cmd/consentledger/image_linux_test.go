package main

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"consentledger/cmd/internal/remote"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The program runs as the image says, in a file system of what the image has: without a
// shell, a library, a zone file, a certificate, /proc, /dev or an environment, as a user
// whom nobody knows.
func TestTheImageRuns(t *testing.T) {
	i := readImage(t)
	root := unpack(t, i)
	run := func(args ...string) *exec.Cmd {
		c := exec.Command(i.entrypoint[0], args...)
		c.Dir, c.Env = "/", []string{}
		c.SysProcAttr = confined(t, root)
		return c
	}

	args := append([]string{}, i.command...)
	for at := range args {
		if strings.HasPrefix(args[at], "0.0.0.0:") {
			args[at] = "127.0.0.1:0" // the image has its own ports, this machine has not
		}
	}
	serve := run(args...)
	var log strings.Builder
	serve.Stderr = &log
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	address, key := "", "" // of the first administrator
	for lines := bufio.NewScanner(out); (address == "" || key == "") && lines.Scan(); {
		if at, is := strings.CutPrefix(lines.Text(), "  HTTP  "); is {
			address = at
		}
		if text := strings.TrimSpace(lines.Text()); strings.HasPrefix(text, "clk_") {
			key = text
		}
	}
	go io.Copy(io.Discard, out)
	t.Cleanup(func() {
		serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			t.Errorf("it ended with %v\n%s", err, &log)
		}
	})
	if !strings.HasPrefix(address, "http://") || key == "" {
		t.Fatalf("it is not ready")
	}

	ask := func(args ...string) (string, error) {
		c := run(append(args, "--server", address)...)
		c.Env = []string{remote.KeyVariable + "=" + key}
		out, err := c.CombinedOutput()
		return string(out), err
	}
	eventually(t, "ready\n<nil>", func() string {
		out, err := ask(i.health[2:]...)
		return fmt.Sprint(out, err)
	})
	if out, err := ask("app", "add", "shop", "--handler", "Shop Ltd", "--time-zone", "Asia/Shanghai"); err != nil {
		t.Errorf("an app with a time zone: %s %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(root, "data", "ledger", "FORMAT")); err != nil {
		t.Errorf("the data are not in the volume: %v", err)
	}
}

// unpack lays what the image copies into a directory.
func unpack(t *testing.T, i image) string {
	t.Helper()
	made, root := release(t), t.TempDir()
	for at := root; len(at) > len(os.TempDir()); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil { // those above it: the user has to come this far
			t.Fatal(err)
		}
	}

	for _, c := range i.copies {
		source := strings.ReplaceAll(c.SourcePaths[0], "${TARGETARCH}", "amd64")
		if strings.HasPrefix(filepath.Base(source), "consentledger-") {
			text, err := os.ReadFile(build(t))
			if err == nil {
				err = os.WriteFile(filepath.Join(root, c.DestPath), text, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.CopyFS(filepath.Join(root, c.DestPath), os.DirFS(filepath.Join(made, source))); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(filepath.Join(made, source))
		if err != nil || len(entries) == 0 {
			t.Fatalf("%s: %v, %v", source, entries, err)
		}
		for _, e := range entries {
			var uid, gid int
			if _, err := fmt.Sscanf(c.Chown, "%d:%d", &uid, &gid); err != nil || c.Chown != i.user {
				t.Fatalf("%s is %q's, and not the user's, who is %q", source, c.Chown, i.user)
			}
			if os.Geteuid() == 0 {
				if err := os.Chown(filepath.Join(root, c.DestPath, e.Name()), uid, gid); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return root
}

// confined lets a process run in a directory as if nothing else were there, as the
// image's user. Who is not root is that user in a namespace.
func confined(t *testing.T, root string) *syscall.SysProcAttr {
	t.Helper()
	const user = 65532
	if os.Geteuid() == 0 {
		return &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
	return &syscall.SysProcAttr{
		Chroot: root, Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getgid(), Size: 1}},
	}
}

const rootless = "CONSENTLEDGER_TEST_ROOTLESS"

// On a system without certificates those of public authorities are trusted all the same.
func TestPublicAuthoritiesAreTrustedWithoutTheSystem(t *testing.T) {
	t.Parallel()
	if os.Getenv(rootless) == "" {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		c.Env = append(os.Environ(), rootless+"=1", "SSL_CERT_FILE=/nowhere", "SSL_CERT_DIR=/nowhere")
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}

	trusted := 0
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		at := cert.NotBefore.Add(time.Hour)
		if _, err := cert.Verify(x509.VerifyOptions{CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
			trusted++
		}
	}
	if trusted < 100 {
		t.Errorf("%d authorities are trusted", trusted)
	}
}
