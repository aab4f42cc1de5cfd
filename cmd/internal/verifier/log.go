package verifier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/progress"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/tune"
	"consentledger/domain/ident"
	"consentledger/eventstore/atomicfile"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/verify"

	"github.com/spf13/cobra"
)

// A LogToVerify is what verify log's flags say.
type LogToVerify struct {
	trust
	App, memory string
	forget      bool
	vault       bool // hold the records against the store and the vault too

	data string          // the data directory that the log is in, if it is in one
	dir  *server.DataDir // the same, open; see [LogToVerify.Close]
	log  *server.StoredLog
}

func newVerifyLog() *cobra.Command {
	var v LogToVerify
	c := &cobra.Command{
		Use:   "log [URL|DIR]",
		Short: "Derive every tile and the root of a log again, and compare",
		Long: `Read a whole log and derive every tile and the root again from its records, hold
them against what the log signed and against what was seen of it before, and look
at the form and the order of every record. Ends with exit code 7 and the first
records that are wrong if anything is.

URL is where the log is served, as in http://127.0.0.1:8080/log/smartkey, DIR a
copy of its files (log publish), or the data directory of a stopped server together
with --app. Without either it is the log of --app at --server.

What was signed is remembered, and the next time the log must still show it: so
a log that was cut short, or that shows others another history, is found out.
The key is needed once; afterwards it is remembered too.

With --vault, of the data directory of a stopped server, every personal text whose
key lives is held against the commitment that its record has, every person against
the outside id that their first record ties them to, and every record against the
store's. Nobody is shown any of it. Erased persons are counted.`,
		Example: `  consentledger verify log http://127.0.0.1:8080/log/smartkey --key "$(cat smartkey.vkey)"
  consentledger verify log --data data --app smartkey
  consentledger verify log --data data --app smartkey --vault
  consentledger verify log http://127.0.0.1:8080/log/smartkey --policy smartkey.policy`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			at := v.data
			switch {
			case len(args) == 1 && v.data != "":
				return exit.Usage(errors.New("name one log: --data, or its URL or directory"))
			case len(args) == 1:
				at = args[0]
			}
			if v.data = ""; at != "" && len(args) == 0 {
				if _, err := os.Stat(filepath.Join(at, "FORMAT")); err != nil {
					return exit.NotFound(fmt.Errorf("--data: there is no data directory at %s", at))
				}
			}
			return v.run(c, at)
		},
	}
	v.flags(c)
	f := c.Flags()
	f.StringVar(&v.App, "app", "", "the app whose log it is")
	f.StringVar(&v.data, "data", "", "the data directory of a stopped server that the log is in: the same as DIR")
	f.StringVar(&v.memory, "memory", "",
		"the file that remembers what was seen (default: one for every log, in the user's configuration directory)")
	f.BoolVar(&v.vault, "vault", false,
		"of a stopped server's data directory: also compute every commitment again whose key lives, and hold persons "+
			"and revisions against the store")
	f.BoolVar(&v.forget, "forget", false, "neither read nor write what is remembered")
	return c
}

func (v LogToVerify) run(c *cobra.Command, at string) (err error) {
	tune.GC() // every record leaves garbage, and little lives
	source, at, err := v.Source(c, at)
	defer func() { err = errors.Join(err, v.Close()) }()
	if err != nil {
		return err
	}

	memory, file, err := v.remembered(at)
	if err != nil {
		return err
	}
	if err := v.readPolicy(); err != nil {
		return err
	}
	if err := v.chooseKey(c, at, memory); err != nil {
		return err
	}

	verifier, origin, err := server.VerifierOf(v.key, v.origin)
	if err != nil {
		return err
	}

	if memory.Origin != "" && (memory.Origin != origin || memory.Key != KeyText(v.key)) {
		follows, err := v.follows(c.Context(), source, memory, origin)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if !follows {
			return exit.NotAuthentic(fmt.Errorf("%s: it was verified before as the log %s with another key or origin "+
				"(%s), and that key has not signed its checkpoint; if that is meant, use --forget or another --memory",
				at, memory.Origin, file))
		}
		fmt.Fprintln(c.ErrOrStderr(), "the log's checkpoint is signed by the key that it was verified with before, "+
			"too: the new key is remembered in its place")
	}

	cosigned, err := v.cosigned(c.Context(), source, verifier, origin)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}

	log := verify.Log{Source: source, Verifier: verifier, Origin: origin, App: ident.AppName(v.App),
		Seen: withSeen(memory.Seen, cosigned), Progress: progress.To(c.ErrOrStderr())}
	began := time.Now()
	report, holding, err := v.verify(c.Context(), log)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if report.Verdict != "" {
		return tell(c, at, report, memory)
	}

	took := time.Since(began)
	cp := report.Checkpoint
	fmt.Fprintf(c.OutOrStdout(), "authentic: %d records, root %s, of the log %s; %.0f records/s\n", cp.Size, cp.Root,
		cp.Origin, float64(cp.Size)/took.Seconds())
	if cosigned != nil {
		fmt.Fprintf(c.OutOrStdout(), "witnessed: the first %d records%s\n", cosigned.Size, v.beyond())
	}

	if holding != nil {
		fmt.Fprintf(c.OutOrStdout(),
			"the vault holds what the records commit to: %d personal texts computed again, %d persons found by their "+
				"outside id, %d texts of erased persons, %d of nobody in the vault; %.0f texts/s\n",
			holding.Commitments, holding.Bindings, holding.Erased, holding.Unkept,
			float64(holding.Commitments)/took.Seconds())
	}

	if n := len(memory.Seen); n > 0 {
		fmt.Fprintf(c.OutOrStdout(), "consistent with %d checkpoints seen before, the last of %d records\n", n,
			memory.Seen[n-1].Size)
	}

	if v.forget {
		return nil
	}

	memory.Key, memory.Origin = KeyText(v.key), origin
	memory.Remember(cp, report.Signed)
	return writeMemory(file, memory)
}

// follows reports whether a log that was verified before with another key carries the
// signature of that key as well: it says then that the log goes on with the new one.
func (v LogToVerify) follows(ctx context.Context, source verify.Source, m verify.Memory, origin string) (bool, error) {
	if m.Origin != origin {
		return false, nil
	}
	files, err := source.Read(ctx, "checkpoint")
	if err != nil {
		return false, err
	}
	return transparency.IsSignedBy(files[0], m.Key) && transparency.IsSignedBy(files[0], KeyText(v.key)), nil
}

// verify reads the log, and with --vault holds it against what is kept beside
// it.
func (v LogToVerify) verify(ctx context.Context, log verify.Log) (_ *verify.Report, h *ledger.Holding, err error) {
	if v.vault {
		h = v.dir.Ledger.Holding(ctx, log.App)
		log.Beside = h.Check
	}
	report, err := log.Verify(ctx)
	if h != nil {
		err = errors.Join(err, h.Close())
	}
	return report, h, err
}

// chooseKey takes the key that is remembered, or the data directory's own, if
// none was given.
func (v *LogToVerify) chooseKey(c *cobra.Command, at string, memory verify.Memory) (err error) {
	if v.key == "" {
		v.key = memory.Key
	}

	if v.key == "" && v.data != "" {
		if v.key, err = server.VerifierKeyOf(c.Context(), v.data, ident.AppName(v.App)); err != nil {
			return err
		}
		fmt.Fprintln(c.ErrOrStderr(),
			"the key is the data directory's own: whoever could change the log could change it too")
	}

	if v.key == "" {
		return exit.Usage(fmt.Errorf("--key: %s was never verified here: give its key, which consentledger log "+
			"show-key prints where the log is kept", at))
	}
	return nil
}

// KeyText returns the key itself of what --key says.
func KeyText(key string) string {
	if !strings.Contains(key, "+") {
		if text, err := files.ReadPlainFile(key, files.MaxKeyFile); err == nil {
			return server.BareKey(string(text))
		}
	}
	return server.BareKey(key)
}

// tell prints what is wrong, with the evidence.
func tell(c *cobra.Command, at string, r *verify.Report, memory verify.Memory) error {
	out := c.OutOrStdout()
	for _, f := range r.Findings {
		fmt.Fprintln(out, f)
	}
	if r.More > 0 {
		fmt.Fprintf(out, "and %d more\n", r.More)
	}
	fmt.Fprintf(out, "\nsigned now:\n%s", r.Signed)
	if len(memory.Note) > 0 {
		fmt.Fprintf(out, "\nsigned when it was verified before:\n%s", memory.Note)
	}
	return exit.NotAuthentic(fmt.Errorf("%s: %s", at, r.Verdict))
}

// Source finds where a log is.
func (v *LogToVerify) Source(c *cobra.Command, at string) (verify.Source, string, error) {
	if at == "" {
		server, err := c.Flags().GetString("server")
		if err != nil {
			return nil, "", err
		}
		if v.App == "" {
			return nil, "", exit.Usage(errors.New("name a log: its URL, its directory, or --app of a server"))
		}
		at = strings.TrimRight(server, "/") + "/log/" + v.App
	}

	_, err := os.Stat(filepath.Join(at, "FORMAT"))
	if v.vault && err != nil {
		return nil, "", exit.Usage(errors.New("--vault: the vault is in a data directory: name it with --data, and " +
			"stop its server"))
	}

	if strings.HasPrefix(at, "http://") || strings.HasPrefix(at, "https://") {
		showKey, err := remote.KeyFor(c, at)
		return NewHTTPSource(at, showKey), at, err
	}
	if err == nil {
		if v.App == "" {
			return nil, "", exit.Usage(fmt.Errorf("%s is a data directory: say whose log with --app", at))
		}
		v.data, at = at, filepath.Join(server.TileDir(at), v.App)
	}

	if _, err := os.Stat(filepath.Join(at, "checkpoint")); err != nil {
		return nil, "", exit.NotFound(fmt.Errorf("there is no log at %s: it has no checkpoint", at))
	}

	switch {
	case v.data != "":
		return v.stored(c.Context(), at)
	case server.IsCache(at):
		return nil, "", exit.Usage(fmt.Errorf("%s is a part of a data directory and holds no records: name that with "+
			"--data and --app, or a log's address or published copy", at))
	}
	return server.DirSource(at), at, nil
}

// stored opens the log in a data directory. With the vault beside it, that is
// opened, too.
func (v *LogToVerify) stored(ctx context.Context, at string) (verify.Source, string, error) {
	app, err := ident.ParseAppName(v.App)
	if err != nil {
		return nil, "", exit.Usage(fmt.Errorf("--app: %w", err))
	}

	if v.vault {
		v.dir, err = server.OpenDataDir(ctx, v.data, "", false)
	} else {
		v.dir, err = server.OpenRecords(v.data)
	}

	if _, is := errors.AsType[server.InUse](err); is {
		return nil, "", fmt.Errorf("%w; while its server runs, ask that one: its address is as in "+
			"http://127.0.0.1:8080/log/%s", err, app)
	}
	if err != nil {
		return nil, "", err
	}

	v.log = &server.StoredLog{DirSource: server.DirSource(at), App: app, Records: v.dir.Store}
	return v.log, at, nil
}

// Close closes what source opened.
func (v *LogToVerify) Close() error {
	if v.log != nil {
		v.log.Close()
	}
	if v.dir != nil {
		return v.dir.Close()
	}
	return nil
}

// remembered reads what is remembered of a log, and where that is.
func (v LogToVerify) remembered(at string) (verify.Memory, string, error) {
	if v.forget {
		return verify.Memory{}, "", nil
	}

	file := v.memory
	if file == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return verify.Memory{}, "", fmt.Errorf("%w; name a file with --memory, or use --forget", err)
		}
		name, err := filepath.Abs(at)
		if strings.Contains(at, "://") || err != nil {
			name = at
		}
		file = filepath.Join(dir, "consentledger", "seen", fileName(name))
	}

	text, err := files.ReadPlainFile(file, files.MaxMemory)
	if errors.Is(err, fs.ErrNotExist) {
		return verify.Memory{}, file, nil
	}
	if err != nil {
		return verify.Memory{}, "", files.NamedBy("--memory", err)
	}

	m, err := verify.ParseMemory(text)
	if err != nil {
		return m, "", fmt.Errorf("%s: %w", file, err)
	}
	return m, file, nil
}

// fileName makes one name of an address.
func fileName(at string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, at)
}

// writeMemory puts what is remembered in the place of what was: all of it or
// nothing, whenever the machine stops. What was seen must not be forgotten by a
// crash: it is what shows that a log was cut short.
func writeMemory(file string, m verify.Memory) error { return atomicfile.Write(file, m.Format()) }
