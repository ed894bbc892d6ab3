/*
 * floor - the default `spec` container, and nothing but its system calls.
 *
 * No config is read, nothing is validated, no state is kept but a pid. What
 * remains is the kernel's own price of that container, the number that every
 * runtime's time is to be compared with. Only tests/bench calls it:
 *
 *	floor run|create|exec ROOT ID CGROUP VIEW ROOTFS SECCOMP ARGV...
 *	floor start|state|kill|delete ROOT ID CGROUP VIEW
 *	floor list ROOT
 *
 * ROOT    directory that holds ID (the pid in decimal) and .ID (the start fifo)
 * CGROUP  path of the container's cgroup below the mount of each hierarchy
 * VIEW    v1:NAME,NAME...   directories below /sys/fs/cgroup that are v1 hierarchies
 *         hybrid:NAME,...   the same, and cgroup2 at /sys/fs/cgroup/unified
 *         v2 or v2ns        cgroup2 at /sys/fs/cgroup; ns: a cgroup namespace too
 * SECCOMP file with the compiled filter, or -
 */
#define PROGRAM "floor"
#include "raw.h"
#include "cgroup.h"
#include "inside.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)

static struct options opt;
static char pid_file[512], fifo_path[512];

static void paths(const char *root, const char *id)
{
	put(put(put(pid_file, root), "/"), id);
	put(put(put(fifo_path, root), "/."), id);
}

static long read_pid(void)
{
	char text[32] = { 0 };
	long fd = must(sys(__NR_openat, AT_FDCWD, pid_file, O_RDONLY), "open pid file");

	must(sys(__NR_read, fd, text, sizeof(text) - 1), "read pid file");
	return number(text);
}

static void write_pid(long pid)
{
	char text[32], *end = put_number(text, pid);
	long fd = must(sys(__NR_openat, AT_FDCWD, pid_file, O_WRONLY | O_CREAT | O_EXCL, 0600),
		       "create pid file");

	must(sys(__NR_write, fd, text, end - text), "write pid file");
}

/* What clone3(2) is to do besides forking: namespaces, and on v2 the cgroup. */
static long clone_child(word flags)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };

	if (cgroup.v2_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = cgroup.v2_fd;
	}
	return must(sys(__NR_clone3, &args, sizeof(args)), "clone3");
}

static word new_namespaces(void)
{
	return NAMESPACES | (cgroup.namespaced ? CLONE_NEWCGROUP : 0);
}

static int wait_for(long pid)
{
	int status = 0;

	must(sys(__NR_wait4, pid, &status, 0, NULL), "wait4");
	return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff; /* wait(2) */
}

static int verb_run(void)
{
	long pid;
	int code;

	cgroup_create();
	pid = clone_child(new_namespaces());
	if (pid == 0)
		container(&opt);
	code = wait_for(pid);
	cgroup_remove();
	return code;
}

/* The child tells through a pipe that it waits, then waits on the fifo. */
static int verb_create(void)
{
	int ready[2];
	char byte;
	long pid;

	must(sys(__NR_mknodat, AT_FDCWD, fifo_path, S_IFIFO | 0600, 0), "mkfifo");
	must(sys(__NR_pipe2, ready, O_CLOEXEC), "pipe2");
	cgroup_create();
	pid = clone_child(new_namespaces());
	if (pid == 0) {
		opt.ready_fd = ready[1];
		opt.gate_fd = must(sys(__NR_openat, AT_FDCWD, fifo_path, O_RDWR | O_CLOEXEC), "open fifo");
		container(&opt);
	}
	sys(__NR_close, ready[1]);
	if (sys(__NR_read, ready[0], &byte, 1) != 1)
		return 126;
	write_pid(pid);
	return 0;
}

static int verb_start(void)
{
	long fd = must(sys(__NR_openat, AT_FDCWD, fifo_path, O_WRONLY), "open fifo");

	must(sys(__NR_write, fd, "s", 1), "write fifo");
	return 0;
}

/* The parent joins all namespaces itself, so that its only child is born there. */
static int verb_exec(void)
{
	long pidfd = must(sys(__NR_pidfd_open, read_pid(), 0), "pidfd_open");
	long pid;

	cgroup_open();
	must(sys(__NR_setns, pidfd, new_namespaces()), "setns");
	pid = clone_child(0);
	if (pid == 0)
		joined(&opt);
	return wait_for(pid);
}

/* The state letter of proc_pid_stat(5), or Z when the process is gone. */
static char state_letter(long pid)
{
	char path[64], stat[512] = { 0 };
	const char *p = stat;
	long fd;

	put(put_number(put(path, "/proc/"), pid), "/stat");
	fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY);
	if (fd < 0)
		return 'Z';
	sys(__NR_read, fd, stat, sizeof(stat) - 1);
	sys(__NR_close, fd);
	while (*p && *p != ')')
		p++;
	return p[0] && p[1] ? p[2] : 'Z';
}

/* One line for state and list; it does not tell created from running. */
static char *describe(char *p, const char *id, long pid)
{
	p = put(put(p, "{\"id\":\""), id);
	p = put_number(put(p, "\",\"pid\":"), pid);
	p = put(p, ",\"status\":\"");
	return put(put(p, state_letter(pid) == 'Z' ? "stopped" : "running"), "\"}\n");
}

static int verb_state(const char *id)
{
	char line[256], *end = describe(line, id, read_pid());

	sys(__NR_write, 1, line, end - line);
	return 0;
}

static int verb_kill(void)
{
	long pidfd = must(sys(__NR_pidfd_open, read_pid(), 0), "pidfd_open");

	must(sys(__NR_pidfd_send_signal, pidfd, SIGKILL, NULL, 0), "pidfd_send_signal");
	return 0;
}

static int verb_delete(void)
{
	if (state_letter(read_pid()) != 'Z')
		must(-16 /* EBUSY */, "still running");
	cgroup_remove();
	must(sys(__NR_unlinkat, AT_FDCWD, fifo_path, 0), "unlink fifo");
	must(sys(__NR_unlinkat, AT_FDCWD, pid_file, 0), "unlink pid file");
	return 0;
}

struct entry64 { /* struct linux_dirent64 of getdents64(2) */
	unsigned long long ino, off;
	unsigned short size;
	unsigned char type;
	char name[];
};

static int verb_list(const char *root)
{
	static char entries[32768], text[1 << 20];
	char *out = text;
	long fd = must(sys(__NR_openat, AT_FDCWD, root, O_RDONLY | O_DIRECTORY), "open root"), n;

	while ((n = must(sys(__NR_getdents64, fd, entries, sizeof(entries)), "getdents64")) > 0)
		for (long at = 0; at < n; at += ((struct entry64 *)(entries + at))->size) {
			struct entry64 *e = (struct entry64 *)(entries + at);

			if (e->name[0] == '.')
				continue;
			paths(root, e->name);
			out = describe(out, e->name, read_pid());
		}
	sys(__NR_write, 1, text, out - text);
	return 0;
}

static int dispatch(const char *verb, char **argv)
{
	switch (verb[0]) {
	case 'r': return verb_run();
	case 'c': return verb_create();
	case 'e': return verb_exec();
	case 'k': return verb_kill();
	case 'd': return verb_delete();
	case 'l': return verb_list(argv[2]);
	default:  return verb[3] == 'r' ? verb_start() : verb_state(argv[3]);
	}
}

void __attribute__((noreturn, used)) entry(word *sp)
{
	long argc = sp[0];
	char **argv = (char **)(sp + 1);

	cgroup.v2_fd = opt.ready_fd = opt.gate_fd = -1;
	if (argc > 3)
		paths(argv[2], opt.id = argv[3]);
	if (argc > 5)
		cgroup_view(argv[4], argv[5]);
	if (argc > 8) {
		opt.rootfs = argv[6];
		opt.argv = argv + 8;
		filter_read(&opt, argv[7]);
	}
	quit(argc > 2 ? dispatch(argv[1], argv) : 125);
}
