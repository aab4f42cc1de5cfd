package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"consentledger/eventstore/esdb/esdbserver"

	"github.com/spf13/cobra"
)

// NewEsdbServer is the process that bench esdb starts to measure the store
// against: a server of EventStoreDB's protocol whose records lie in memory. It says
// where it listens, answers every line of standard input with the CPU time that it
// has used, and ends with the input.
func NewEsdbServer() *cobra.Command {
	cmd := &cobra.Command{Use: "bench-esdb-server", Hidden: true, Args: cobra.NoArgs}
	cmd.RunE = func(c *cobra.Command, _ []string) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		node := esdbserver.New(esdbserver.Options{})
		served := make(chan error, 1)
		go func() { served <- node.Serve(l) }()

		fmt.Fprintln(c.OutOrStdout(), node.Addr())
		for questions := bufio.NewScanner(c.InOrStdin()); questions.Scan(); {
			used, err := cpuTime()
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), used)
		}
		node.Close()
		return <-served
	}
	return cmd
}

// A protocolServer is that process, seen from bench.
type protocolServer struct {
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startProtocolServer(ctx context.Context) (*protocolServer, error) {
	cmd, err := ownProcess(ctx, "bench-esdb-server")
	if err != nil {
		return nil, err
	}
	s := &protocolServer{cmd: cmd}
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	s.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	line, err := s.line()
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.address = "esdb://" + line + "?tls=false"
	return s, nil
}

func (s *protocolServer) line() (string, error) {
	line, err := s.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the protocol server: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// cpuTime returns what the server has used so far.
func (s *protocolServer) cpuTime() (time.Duration, error) {
	if _, err := fmt.Fprintln(s.in); err != nil {
		return 0, fmt.Errorf("the protocol server: %w", err)
	}
	line, err := s.line()
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(line)
}

func (s *protocolServer) close() error {
	s.in.Close()
	return s.cmd.Wait()
}
