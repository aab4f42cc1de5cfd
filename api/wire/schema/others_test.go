package schema

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"consentledger/api/internal/npm"
)

// compile compiles every schema in a directory with ajv, as strictly as it can.
const compile = `
const fs = require("fs"), path = require("path");
const Ajv = require("ajv/dist/2020").default, formats = require("ajv-formats").default;
let compiled = 0;
for (const name of fs.readdirSync(process.argv[1])) {
	const ajv = new Ajv({strict: true, allErrors: true});
	formats(ajv);
	try {
		ajv.compile(JSON.parse(fs.readFileSync(path.join(process.argv[1], name))));
		compiled++;
	} catch (e) {
		console.error(name + ": " + e.message);
	}
}
console.log(compiled);
`

func TestAStrictValidatorTakesEverySchema(t *testing.T) {
	dir := t.TempDir()
	for _, name := range Names() {
		text, has := Of(name)
		if !has {
			t.Fatalf("there is no schema %s", name)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	var log bytes.Buffer
	c := exec.CommandContext(t.Context(), "node", "-e", compile, dir)
	c.Env = append(os.Environ(), "NODE_PATH="+npm.Modules(t))
	c.Stderr = &log
	out, err := c.Output()
	if err != nil || log.Len() > 0 || len(bytes.TrimSpace(out)) == 0 || string(bytes.TrimSpace(out)) == "0" {
		t.Errorf("%s schemas of %d, %v: %s", bytes.TrimSpace(out), len(Names()), err, &log)
	}
}
