// Command read reads the files of a deployment as the programs read them that they are
// for, and prints what they say as JSON:
//
//	read dockerfile FILE          BuildKit's parser: a list of instructions
//	read compose FILE PROFILE...  Compose's loader: the project with these profiles
//	read promql <EXPRESSIONS      Prometheus' parser: of every line the selectors
//
// It is a module of its own: what it needs of others is not the ledger's to carry.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/prometheus/prometheus/model/labels"
	promql "github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "read:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	var said any
	switch {
	case len(args) == 2 && args[0] == "dockerfile":
		said, err = dockerfile(args[1])
	case len(args) >= 2 && args[0] == "compose":
		said, err = compose(args[1], args[2:])
	case len(args) == 1 && args[0] == "promql":
		said, err = expressions(os.Stdin)
	default:
		err = fmt.Errorf("want dockerfile FILE, compose FILE PROFILE..., or promql")
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(said)
}

// A stage is a part of a Dockerfile.
type stage struct {
	Base     string
	Commands []command
}

// A command is an instruction of a stage, as it is meant.
type command struct {
	Name string
	Is   any
}

func dockerfile(file string) (any, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	read, err := parser.Parse(f)
	if err != nil {
		return nil, err
	}
	stages, arguments, err := instructions.Parse(read.AST, nil)
	if err != nil {
		return nil, err
	}

	var said []stage
	for _, s := range stages {
		one := stage{Base: s.BaseName}
		for _, c := range s.Commands {
			one.Commands = append(one.Commands, command{c.Name(), c})
		}
		said = append(said, one)
	}
	return map[string]any{"Stages": said, "Arguments": arguments, "Warnings": read.Warnings}, nil
}

func compose(file string, profiles []string) (any, error) {
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithProfiles(profiles), cli.WithInterpolation(true), cli.WithResolvedPaths(true), cli.WithConsistency(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

// A selector names a metric, and asks for labels.
type selector struct {
	Metric string
	Labels map[string][]string // what each may be, or a pattern of it
}

// An expression is what one line says.
type expression struct {
	Text      string
	Kind      string
	Selectors []selector
	Grouped   []string // labels by which something is added up, or joined
}

func expressions(r io.Reader) (any, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}

	var all []expression
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		read, err := promql.NewParser(promql.Options{}).ParseExpr(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		all = append(all, look(line, read))
	}
	return all, nil
}

func look(text string, read promql.Expr) expression {
	e := expression{Text: text, Kind: string(read.Type())}
	promql.Inspect(read, func(node promql.Node, _ []promql.Node) error {
		switch n := node.(type) {
		case *promql.VectorSelector:
			e.Selectors = append(e.Selectors, selected(n))
		case *promql.AggregateExpr:
			e.Grouped = append(e.Grouped, n.Grouping...)
		case *promql.BinaryExpr:
			if n.VectorMatching != nil {
				e.Grouped = append(e.Grouped, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	return e
}

func selected(n *promql.VectorSelector) selector {
	s := selector{Metric: n.Name, Labels: map[string][]string{}}
	for _, m := range n.LabelMatchers {
		switch {
		case m.Name != labels.MetricName:
			s.Labels[m.Name] = append(s.Labels[m.Name], m.Value)
		case s.Metric == "":
			s.Metric = m.Value
		}
	}
	return s
}
