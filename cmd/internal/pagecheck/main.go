// Command pagecheck looks at HTML files as a reader does who does not belong to this project:
// the W3C's checker (vnu) reads them, axe-core looks at them in a real Chromium on a
// telephone of 390 pixels, and they are printed. It prints what is wrong, one line
// each, and ends with exit code 1 if anything is.
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed look.js
var look string

func main() {
	faults, err := check(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "pagecheck:", err)
		os.Exit(2)
	}
	for _, f := range faults {
		fmt.Println(f)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
}

func check(files []string) ([]string, error) {
	modules, err := tool("nodetools")
	if err != nil {
		return nil, err
	}
	chromium, err := tool("chromium")
	if err != nil {
		return nil, err
	}
	faults, err := vnu(modules, files)
	if err != nil {
		return nil, err
	}

	dir, err := os.MkdirTemp("", "consentledger-pages-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for i, file := range files {
		print := filepath.Join(dir, fmt.Sprint(i, ".pdf"))
		c := exec.Command("node", "-e", look, file, print, chromium)
		c.Env = append(os.Environ(), "NODE_PATH="+modules)
		var said, log bytes.Buffer
		c.Stdout, c.Stderr = &said, &log
		if err := c.Run(); err != nil {
			return nil, fmt.Errorf("%s in Chromium: %w: %s", file, err, &log)
		}
		faults = append(faults, lines(file, said.String())...)
		empty, err := nearlyEmpty(print)
		if err != nil {
			return nil, err
		}
		faults = append(faults, lines(file, empty)...)
	}
	return faults, nil
}

// tool returns where a program of the tests is.
func tool(name string) (string, error) {
	c := exec.Command("go", "run", "consentledger/cmd/internal/"+name)
	c.Stderr = os.Stderr
	path, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(string(path)), nil
}

// vnu gives files to the W3C's checker, which exits with 1 if it finds anything.
func vnu(modules string, files []string) ([]string, error) {
	jar := filepath.Join(modules, "vnu-jar", "build", "dist", "vnu.jar")
	c := exec.Command("java", append([]string{"-jar", jar, "--format", "gnu"}, files...)...)
	out, err := c.CombinedOutput()
	found := slices.DeleteFunc(lines("vnu", string(out)), func(line string) bool {
		return strings.Contains(line, "This document appears to be written in") // what persons wrote is in any language
	})
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && (!exited || len(out) == 0) {
		return nil, fmt.Errorf("vnu: %w: %s", err, out)
	}
	return found, nil
}

func lines(before, text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, before+": "+line)
		}
	}
	return all
}

// nearlyEmpty names the pages of a printed file, but for the last, of which less
// than a third has anything on it.
func nearlyEmpty(pdf string) (string, error) {
	out, err := exec.Command("pdftoppm", "-r", "10", "-gray", pdf, strings.TrimSuffix(pdf, ".pdf")).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pdftoppm: %w: %s", err, out)
	}

	pages, err := filepath.Glob(strings.TrimSuffix(pdf, ".pdf") + "-*.pgm")
	if err != nil || len(pages) == 0 {
		return "", fmt.Errorf("nothing was printed: %v", err)
	}

	var faults strings.Builder
	for i, page := range pages[:len(pages)-1] {
		text, err := os.ReadFile(page)
		if err != nil {
			return "", err
		}
		if used := lowest(text); used < 1.0/3 {
			fmt.Fprintf(&faults, "page %d of %d, printed, is used to %.0f%%\n", i+1, len(pages), 100*used)
		}
	}
	return faults.String(), nil
}

// lowest returns how far down a picture (PGM) has anything on it, as a share of its
// height.
func lowest(pgm []byte) float64 {
	var width, height, most int
	if _, err := fmt.Sscanf(string(pgm[:min(len(pgm), 64)]), "P5\n%d %d\n%d", &width, &height, &most); err != nil ||
		width == 0 || height == 0 || len(pgm) < width*height {
		return 0
	}
	pixels := pgm[len(pgm)-width*height:]
	for y := height - 1; y >= 0; y-- {
		if dark(pixels[y*width : (y+1)*width]) {
			return float64(y+1) / float64(height)
		}
	}
	return 0
}

func dark(row []byte) bool {
	for _, p := range row {
		if p < 230 {
			return true
		}
	}
	return false
}
