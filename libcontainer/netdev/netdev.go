// Package netdev moves network devices of the host into the network namespace
// of a container, config-linux.md#network-devices, and takes them back when the
// container does not come about.
//
// It speaks rtnetlink(7) itself: a few messages, and nothing to initialize in
// the starts of containers that have no device to move.
package netdev

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"ociruntime/internal/diag"
)

// Moved are devices that are in a container's namespace now.
type Moved struct {
	host, container int // network namespaces
	devices         []device
}

// device is one of them.
type device struct {
	field     string
	was       link // in the runtime namespace
	index     int32
	addresses []address
}

// Move moves devices, by name in the runtime namespace, into the network
// namespace of process pid. All of them arrive, with their addresses and up,
// or an error says which did not, and none has moved. The caller closes Moved.
func Move(devices map[string]specs.LinuxNetDevice, pid int) (*Moved, error) {
	m := &Moved{host: -1, container: -1}
	var err error
	if m.host, err = openNamespace("/proc/thread-self/ns/net"); err == nil {
		m.container, err = openNamespace("/proc/" + strconv.Itoa(pid) + "/ns/net")
	}
	if err == nil {
		err = m.moveAll(devices)
	}
	if err != nil {
		err = errors.Join(err, m.Undo())
		m.Close()
		return nil, err
	}
	return m, nil
}

func openNamespace(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &diag.Error{Field: "linux.netDevices", Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// moveAll moves in the order of names, so that it is the same each time.
func (m *Moved) moveAll(devices map[string]specs.LinuxNetDevice) error {
	host, container, err := m.sockets()
	if err != nil {
		return err
	}
	defer host.close()
	defer container.close()
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		field := fmt.Sprintf("linux.netDevices[%q]", name)
		target := devices[name].Name
		if target == "" {
			target = name
		}
		if err := m.move(host, container, field, name, target); err != nil {
			return &diag.Error{Field: field, Err: err}
		}
	}
	return nil
}

// sockets opens one in each of the two namespaces.
func (m *Moved) sockets() (host, container *socket, err error) {
	if host, err = dial(m.host, m.host); err != nil {
		return nil, nil, err
	}
	if container, err = dial(m.container, m.host); err != nil {
		host.close()
		return nil, nil, err
	}
	return host, container, nil
}

// move takes two steps, as the kernel looks at a new name only after the device
// has left: it travels under a name that nobody has, so that we know which it
// is on the other side, and gets the wanted one there.
func (m *Moved) move(host, container *socket, field, name, target string) error {
	was, err := host.find(name)
	if err != nil {
		return explainFind(name, err)
	}
	if _, err := container.find(target); err == nil {
		return &diag.Error{Path: target, Err: fmt.Errorf("the container's network namespace has a device of this name: %w", unix.EEXIST)}
	}
	d := device{field: field, was: was}
	if d.addresses, err = host.addresses(was.index); err != nil {
		return &diag.Error{Op: "list addresses", Err: err}
	}
	travel := "move" + strconv.Itoa(int(was.index))
	if err := host.send(was.index, m.container, travel); err != nil {
		return explainSend(err)
	}
	arrived, err := container.find(travel)
	if err != nil {
		return &diag.Error{Op: "find it in the container", Path: travel, Err: err}
	}
	d.index = arrived.index
	m.devices = append(m.devices, d)
	return m.devices[len(m.devices)-1].settle(container, target)
}

// settle gives a device that has arrived its name, addresses and link.
func (d *device) settle(s *socket, target string) error {
	if err := s.rename(d.index, target); err != nil {
		return &diag.Error{Op: "rename to", Path: target, Err: err}
	}
	if err := s.addAll(d.index, d.addresses); err != nil {
		return err
	}
	if err := s.up(d.index); err != nil {
		return &diag.Error{Op: "set link up", Err: err}
	}

	return nil
}

// Undo takes the devices back, as they were but for routes, which the kernel
// forgets when a device leaves.
func (m *Moved) Undo() error {
	if len(m.devices) == 0 {
		return nil
	}
	host, container, err := m.sockets()
	if err != nil {
		return err
	}
	defer host.close()
	defer container.close()
	var problems []error
	for _, d := range slices.Backward(m.devices) {
		if err := d.back(host, container, m.host); err != nil {
			problems = append(problems, &diag.Error{Field: d.field, Op: "take it back", Err: err})
		}
	}
	m.devices = nil
	return errors.Join(problems...)
}

func (d *device) back(host, container *socket, namespace int) error {
	if err := container.send(d.index, namespace, d.was.name); err != nil {
		return err
	}
	now, err := host.find(d.was.name)
	if err != nil {
		return err
	}
	if d.was.master != 0 {
		if err := host.enslave(now.index, d.was.master); err != nil {
			return err
		}
	}
	if err := host.addAll(now.index, d.addresses); err != nil {
		return err
	}
	if d.was.flags&unix.IFF_UP == 0 {
		return nil
	}
	return host.up(now.index)
}

// Close lets go of the namespaces. The devices stay where they are.
func (m *Moved) Close() {
	for _, fd := range []int{m.host, m.container} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	m.host, m.container, m.devices = -1, -1, nil
}

func explainFind(name string, err error) error {
	if errors.Is(err, unix.ENODEV) {
		return &diag.Error{Err: fmt.Errorf("the runtime's network namespace has no device of this name: %w", unix.ENODEV)}
	}
	return &diag.Error{Op: "find", Path: name, Err: err}
}

func explainSend(err error) error {
	e := &diag.Error{Op: "move", Err: err}
	switch {
	case errors.Is(err, unix.EINVAL):
		e.Hint = "devices such as lo belong to one network namespace for good"
	case errors.Is(err, unix.EPERM):
		e.Hint = "it takes CAP_NET_ADMIN in both network namespaces"
	}
	return e
}
