package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
)

func TestALineOfTheLogIsAnObjectWhereThatIsAskedFor(t *testing.T) {
	for format, object := range map[string]bool{"": false, LogText: false, LogJSON: true} {
		var out bytes.Buffer
		slog.New(Config{LogFormat: format}.logTo(&out)).Warn("it is late", "position", 7)

		var line struct {
			Level, Msg string
			Position   int
		}
		err := json.Unmarshal(out.Bytes(), &line)
		if (err == nil) != object || object && (line.Level != "WARN" || line.Msg != "it is late" || line.Position != 7) {
			t.Errorf("%q: %s, %v", format, &out, err)
		}
	}
}
