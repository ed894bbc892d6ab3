package libcontainer

import (
	"errors"
	"os"

	"ociruntime/cgroups"
	"ociruntime/internal/diag"
	"ociruntime/libcontainer/criu"
	"ociruntime/nsenter"
)

// CheckpointOptions are those of `checkpoint`.
type CheckpointOptions struct {
	criu.Options
	ImagePath string // directory that receives the images; made if it is missing
	WorkPath  string // directory for the log and what else is not an image; "" is ImagePath
}

// Checkpoint has CRIU write the processes of container id to ImagePath. Then
// they are killed and the container is deleted, unless they are to go on. After
// an error, and when the call is interrupted or killed, the container is what it
// was before: CRIU takes back what it has done when nobody listens to it.
func (r *Runtime) Checkpoint(id string, o CheckpointOptions) error {
	if err := o.Check(); err != nil {
		return err
	}
	if err := criuRights(); err != nil {
		return err
	}
	if err := hideDescriptors(); err != nil {
		return err
	}
	c, err := r.loadLocked(id)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.checkpointable(); err != nil {
		return err
	}
	if c.foreground, err = newForeground(false); err != nil {
		return err
	}
	if err := c.dump(&o); err != nil {
		return err
	}
	if o.LeaveRunning || o.PreDump {
		return nil
	}
	return c.destroy()
}

// criuRights refuses what CRIU would refuse, with words for those who know it.
func criuRights() error {
	if os.Geteuid() == 0 && !inUserNamespace() {
		return nil
	}
	return &diag.Error{Err: errors.New("rootless containers cannot be checkpointed or restored: CRIU needs root outside of any user namespace"),
		Code: "criu-rootless"}
}

// checkpointable refuses a container whose program does not run.
func (c *container) checkpointable() error {
	status, err := c.status()
	if err != nil || status == Running || status == Paused && !isStage(c.Pid) {
		return err
	}
	return &diag.Error{Path: c.id, Err: errors.New("container cannot be checkpointed in " + string(status) + " state"), Code: "not-running"}
}

// dump has CRIU do it.
func (c *container) dump(o *CheckpointOptions) error {
	server, err := criu.New()
	if err != nil {
		return err
	}
	defer server.Close()
	d, err := c.planDump(o)
	if err != nil {
		return err
	}
	defer d.close()
	if err := server.Start(nsenter.New(0), nsenter.Options{Args: []string{"runtime:criu", c.id}, Cgroup: -1}, nil, c.runtime.timeout()); err != nil {
		return err
	}
	if err := d.suit(server, c.runtime); err != nil {
		return err
	}
	request, err := d.Request()
	if err != nil {
		return err
	}
	_, err = server.Do(request, c.during(d), d.log(criu.DumpLog))
	if err != nil {
		c.thawAfter(d)
	}
	return err
}

// during serves the notifications of a dump. The last comes before the processes
// are killed: so what it writes is what tells that the images are complete.
func (c *container) during(d *dumping) criu.Handler {
	return func(script string, _ int, _ []int) error {
		if err := c.foreground.interrupted(); err != nil {
			return err
		}
		if script == "post-dump" {
			return writeDescriptors(d.images.fd, d.stdio[:])
		}
		return nil
	}
}

// dumping is a criu.Dump and what it was made of.
type dumping struct {
	criu.Dump
	images
	stdio     [3]string // criu's names of what stdin, stdout, stderr are
	frozen    bool      // the container was paused before
	freezerV1 bool      // Freezer is of version 1
	needs     []need
}

// need is a version of CRIU and what needs it.
type need struct {
	version criu.Version
	what    string
}

// planDump finds out everything that CRIU has to be told.
func (c *container) planDump(o *CheckpointOptions) (*dumping, error) {
	d := &dumping{Dump: criu.Dump{Options: o.Options, Pid: c.Pid, Root: c.Rootfs}}
	d.Options.ConfigFile = c.criuConfig(&d.needs)
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	if err := d.planOutside(config, c); err != nil {
		return nil, err
	}
	group := cgroups.Load(c.Cgroup)
	defer group.Close()
	d.frozen, _ = group.Frozen() // a cgroup that cannot be read is not frozen by us
	d.images, err = openImages(o.ImagePath, o.WorkPath, true)
	if err != nil {
		return nil, err
	}
	if err := checkParent(d.images.fd, o.Parent); err != nil {
		d.close()
		return nil, err
	}
	d.Dirs = d.images.dirs()
	return d, nil
}

// freezerV2 is the first version that can freeze by a version 2 cgroup.
const freezerV2 criu.Version = 31400

// suit checks that CRIU can do what is asked, before anything is frozen.
func (d *dumping) suit(server *criu.Server, r *Runtime) error {
	if d.Freezer != "" && !d.freezerV1 && server.Version < freezerV2 {
		d.Freezer = "" // it stops one process after the other
	}
	for _, n := range d.needs {
		if err := server.Need(n.version, n.what); err != nil {
			return err
		}
	}
	return server.NeedFeatures(&d.Options, r.timeout())
}

// thawAfter lets the processes go on when a CRIU that was killed has left them
// frozen.
func (c *container) thawAfter(d *dumping) {
	if d.frozen {
		return
	}
	group := cgroups.Load(c.Cgroup)
	defer group.Close()
	if frozen, err := group.Frozen(); err != nil || !frozen {
		return
	}
	if err := group.Thaw(c.runtime.timeout()); err != nil {
		c.runtime.Log.Warnf("container %s is left paused: %v", c.id, err)
	}
}
