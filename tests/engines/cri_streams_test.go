package engines

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Channels of a stream of the protocol v4.channel.k8s.io, the first byte of
// each message. A forwarded port has only the first two, and both begin with
// the port's number.
const (
	channelInput = iota
	channelOutput
	channelErrors
	channelStatus // a metav1.Status in JSON
	channelResize
)

// stream opens what the server has prepared for a kubectl.
func (c *CRI) stream(t testing.TB, address string) *websocket.Conn {
	t.Helper()
	target, err := url.Parse(address)
	check(t, err)
	raw, err := c.dial(c.ctx, "tcp", target.Host)
	check(t, err)
	check(t, raw.SetDeadline(time.Now().Add(timeout)))
	target.Scheme = "ws"
	config, err := websocket.NewConfig(target.String(), "http://localhost/")
	check(t, err)
	config.Protocol = []string{"v4.channel.k8s.io"}
	conn, err := websocket.NewClient(config, raw)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// sendTo writes to a channel.
func sendTo(t testing.TB, conn *websocket.Conn, channel byte, text string) {
	t.Helper()
	check(t, websocket.Message.Send(conn, append([]byte{channel}, text...)))
}

// receive reads until done is satisfied with what has come, by channel, or the
// stream ends.
func receive(t testing.TB, conn *websocket.Conn, done func(got map[byte]string) bool) map[byte]string {
	t.Helper()
	got := map[byte]string{}
	for !done(got) {
		var message []byte
		err := websocket.Message.Receive(conn, &message)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		if len(message) > 0 {
			got[message[0]] += string(message[1:])
		}
	}
	return got
}

func untilStatus(got map[byte]string) bool { return got[channelStatus] != "" }

// exitCode reads the end of an exec.
func exitCode(t testing.TB, status string) string {
	t.Helper()
	var s struct {
		Status  string
		Details struct {
			Causes []struct{ Reason, Message string }
		}
	}
	check(t, json.Unmarshal([]byte(status), &s))
	if s.Status == "Success" {
		return "0"
	}
	for _, cause := range s.Details.Causes {
		if cause.Reason == "ExitCode" {
			return cause.Message
		}
	}
	return status
}

func criStreams(t *testing.T, c *CRI) {
	parallel(t, "exec", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"})
		answer, err := c.Exec(c.ctx, &cri.ExecRequest{ContainerId: id, Cmd: []string{"sh", "-c", "read line; echo got $line; echo err >&2; exit 6"}, Stdin: true, Stdout: true, Stderr: true})
		check(t, err)
		conn := c.stream(t, answer.Url)
		sendTo(t, conn, channelInput, "words\n")
		got := receive(t, conn, untilStatus)
		equals(t, "stdout", got[channelOutput], "got words\n")
		equals(t, "stderr", got[channelErrors], "err\n")
		equals(t, "exit code", exitCode(t, got[channelStatus]), "6")
	})
	parallel(t, "exec-terminal", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Start(t, []string{"sleep", "100"})
		answer, err := c.Exec(c.ctx, &cri.ExecRequest{ContainerId: id, Cmd: []string{"sh"}, Tty: true, Stdin: true, Stdout: true})
		check(t, err)
		conn := c.stream(t, answer.Url)
		sendTo(t, conn, channelResize, `{"Width":120,"Height":40}`)
		sendTo(t, conn, channelInput, "tty; "+untilSize("40 120")+"; exit 5\n")
		got := receive(t, conn, untilStatus)
		contains(t, got[channelOutput], "/dev/pts/0", "is now 40 120")
		equals(t, "exit code", exitCode(t, got[channelStatus]), "5")
	})
	parallel(t, "attach", func(t *testing.T) {
		p := c.Pod(t)
		id := p.Start(t, []string{"sh", "-c", "read line; echo got $line"}, func(s *cri.ContainerConfig) { s.Stdin = true })
		answer, err := c.Attach(c.ctx, &cri.AttachRequest{ContainerId: id, Stdin: true, Stdout: true})
		check(t, err)
		conn := c.stream(t, answer.Url)
		sendTo(t, conn, channelInput, "words\n")
		receive(t, conn, func(got map[byte]string) bool { return strings.Contains(got[channelOutput], "got words\n") })
		equals(t, "exit code", p.Wait(t, id).ExitCode, 0)
	})
	parallel(t, "port-forward", func(t *testing.T) {
		p := c.Pod(t)
		p.Start(t, serve("80"))
		c.fetch(t, p.Address(t)) // it listens
		answer, err := c.PortForward(c.ctx, &cri.PortForwardRequest{PodSandboxId: p.id, Port: []int32{80}})
		check(t, err)
		conn := c.stream(t, answer.Url)
		sendTo(t, conn, channelInput, "GET / HTTP/1.0\r\n\r\n")
		got := receive(t, conn, func(got map[byte]string) bool { return strings.HasSuffix(got[channelInput], "served\n") })
		if port := []byte(got[channelInput][:2]); !bytes.Equal(port, []byte{80, 0}) {
			t.Errorf("the stream begins with %v", port)
		}
		contains(t, got[channelInput], "200 OK")
	})
}
