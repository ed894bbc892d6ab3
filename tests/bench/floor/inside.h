/* inside.h - what the container's first process does before the user's program. */
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/stat.h>

#define SIGKILL 9
#define SIGCHLD 17
#define RLIMIT_NOFILE 7
#define MNT_DETACH 2
#define AF_INET 2
#define SOCK_DGRAM 2
#define SOCK_CLOEXEC 02000000
#define DEV(major, minor) ((major) << 8 | (minor))

struct options {
	const char *id, *rootfs;
	char **argv;
	struct sock_fprog filter; /* len 0: no seccomp */
	int ready_fd, gate_fd;    /* create only, else -1 */
};

static struct sock_filter filter_code[BPF_MAXINSNS];

/* filter_read reads the compiled filter; the container's process only loads it. */
static void filter_read(struct options *o, const char *file)
{
	long fd, n;

	if (file[0] == '-')
		return;
	fd = must(sys(__NR_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC), "open filter");
	n = must(sys(__NR_read, fd, filter_code, sizeof(filter_code)), "read filter");
	o->filter.len = n / sizeof(filter_code[0]);
	o->filter.filter = filter_code;
}

static void mount(const char *source, const char *target, const char *type, word flags, const char *data)
{
	must(sys(__NR_mount, source, target, type, flags, data), target);
}

static void mounts(void)
{
	const word safe = MS_NOSUID | MS_NOEXEC | MS_NODEV;

	mount("proc", "proc", "proc", 0, NULL);
	mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	must(sys(__NR_mkdirat, AT_FDCWD, "dev/pts", 0755), "mkdir dev/pts");
	mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	must(sys(__NR_mkdirat, AT_FDCWD, "dev/shm", 0755), "mkdir dev/shm");
	mount("shm", "dev/shm", "tmpfs", safe, "mode=1777,size=65536k");
	must(sys(__NR_mkdirat, AT_FDCWD, "dev/mqueue", 0755), "mkdir dev/mqueue");
	mount("mqueue", "dev/mqueue", "mqueue", safe, NULL);
	mount("sysfs", "sys", "sysfs", safe | MS_RDONLY, NULL);
	cgroup_mount();
}

/* Default devices and links, config-linux.md "Default Devices" and "Dev symbolic links". */
static void devices(void)
{
	static const struct { const char *path; int dev; } nodes[] = {
		{ "dev/null", DEV(1, 3) }, { "dev/zero", DEV(1, 5) }, { "dev/full", DEV(1, 7) },
		{ "dev/random", DEV(1, 8) }, { "dev/urandom", DEV(1, 9) }, { "dev/tty", DEV(5, 0) },
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "dev/fd" }, { "/proc/self/fd/0", "dev/stdin" },
		{ "/proc/self/fd/1", "dev/stdout" }, { "/proc/self/fd/2", "dev/stderr" },
		{ "pts/ptmx", "dev/ptmx" },
	};

	for (word i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		must(sys(__NR_mknodat, AT_FDCWD, nodes[i].path, S_IFCHR | 0666, nodes[i].dev), nodes[i].path);
	for (word i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		must(sys(__NR_symlinkat, links[i][0], AT_FDCWD, links[i][1]), links[i][1]);
}

static void masked_and_readonly(void)
{
	static const char *const masked[] = {
		"proc/acpi", "proc/asound", "proc/kcore", "proc/keys", "proc/latency_stats",
		"proc/timer_list", "proc/timer_stats", "proc/sched_debug", "sys/firmware", "proc/scsi",
	};
	static const char *const readonly[] = {
		"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger",
	};

	/* A path that does not exist is skipped; ENOTDIR says that it is a directory. */
	for (word i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
		long ret = sys(__NR_mount, "dev/null", masked[i], NULL, MS_BIND, NULL);

		if (ret == -20 /* ENOTDIR */)
			mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "size=0k");
		else if (ret != -2 /* ENOENT */)
			must(ret, masked[i]);
	}
	for (word i = 0; i < sizeof(readonly) / sizeof(readonly[0]); i++) {
		if (sys(__NR_mount, readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0)
			continue;
		mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	}
}

static void filesystem(const char *rootfs)
{
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL);
	must(sys(__NR_chdir, rootfs), "chdir rootfs");
	sys(__NR_umask, 0);
	mounts();
	devices();
	masked_and_readonly();
	must(sys(__NR_pivot_root, ".", "."), "pivot_root");
	must(sys(__NR_umount2, ".", MNT_DETACH), "umount old root");
	must(sys(__NR_chdir, "/"), "chdir /");
	mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	sys(__NR_umask, 022);
}

static void loopback_up(void)
{
	/* struct ifreq of netdevice(7), of which linux/if.h drags in the C library's */
	struct { char name[16]; short flags; char rest[22]; } lo = { "lo", 0x1 | 0x40 /* IFF_UP | IFF_RUNNING */, "" };
	long fd = must(sys(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");

	must(sys(__NR_ioctl, fd, SIOCSIFFLAGS, &lo), "lo up");
}

/* Identity of `process` in the default spec: three capabilities, uid and gid 0. */
static void identity(const char *id)
{
	const unsigned int kept = 1 << CAP_AUDIT_WRITE | 1 << CAP_KILL | 1 << CAP_NET_BIND_SERVICE;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { { .effective = kept, .permitted = kept } };
	struct rlimit64 nofile = { 1024, 1024 };

	must(sys(__NR_setsid), "setsid");
	must(sys(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, id), "session keyring");
	must(sys(__NR_prlimit64, 0, RLIMIT_NOFILE, &nofile, NULL), "rlimit");
	must(sys(__NR_setgroups, 0, NULL), "setgroups");
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap >= 32 || !(kept >> cap & 1))
			must(sys(__NR_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0), "capbset");
	must(sys(__NR_capset, &header, caps), "capset");
	must(sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static void __attribute__((noreturn)) become(const struct options *o)
{
	static char *const envp[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "HOME=/root", NULL,
	};

	sys(__NR_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (o->filter.len)
		must(sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &o->filter), "seccomp");
	must(sys(__NR_execve, o->argv[0], o->argv, envp), "execve");
	quit(127);
}

/* container is the new container's first process, from clone to the user's program. */
static void __attribute__((noreturn)) container(const struct options *o)
{
	char byte;

	cgroup_join();
	filesystem(o->rootfs);
	must(sys(__NR_sethostname, "bench", 5), "sethostname");
	loopback_up();
	identity(o->id);
	if (o->ready_fd >= 0) {
		must(sys(__NR_write, o->ready_fd, "r", 1), "ready");
		must(sys(__NR_read, o->gate_fd, &byte, 1), "start gate");
	}
	become(o);
}

/* joined is the process of exec, born in all the namespaces of the container. */
static void __attribute__((noreturn)) joined(const struct options *o)
{
	cgroup_join();
	must(sys(__NR_chdir, "/"), "chdir /");
	identity(o->id);
	become(o);
}
