/* cgroup.h - the container's cgroup: made, joined, mounted inside, removed. */
#include <linux/bpf.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>

#define MAX_HIERARCHIES 16

static struct {
	int v1_count;                        /* v1 hierarchies, 0 on v2 */
	int namespaced;                      /* v2 with a cgroup namespace */
	char *name[MAX_HIERARCHIES];         /* "memory"; the last is "unified" on hybrid */
	char path[MAX_HIERARCHIES + 1][512]; /* the container's directory in each */
	int count;                           /* directories in path */
	int tasks[MAX_HIERARCHIES];          /* open "tasks" of each v1 directory */
	long v2_fd;                          /* the cgroup2 directory, or -1 */
	int v2;                              /* index of the cgroup2 directory, or -1 */
} cgroup;

static void cgroup_add(char *name, const char *below)
{
	char *p = put(cgroup.path[cgroup.count], "/sys/fs/cgroup");

	cgroup.name[cgroup.count] = name;
	if (*name)
		p = put(put(p, "/"), name);
	put(put(p, "/"), below);
	cgroup.count++;
}

/* cgroup_view reads the VIEW argument (see floor.c); it cuts the string in place. */
static void cgroup_view(const char *below, char *view)
{
	char *s = view;

	cgroup.v2 = -1;
	if (starts(view, "v2")) {
		cgroup.namespaced = view[2] == 'n';
		cgroup.v2 = 0;
		cgroup_add("", below);
		return;
	}
	while (*s != ':')
		s++;
	for (;;) {
		char *name = ++s;

		while (*s && *s != ',')
			s++;
		if (!*s) {
			cgroup_add(name, below);
			break;
		}
		*s = 0;
		cgroup_add(name, below);
	}
	cgroup.v1_count = cgroup.count;
	if (starts(view, "hybrid")) {
		cgroup.v2 = cgroup.count;
		cgroup_add("unified", below);
	}
}

static void cgroup_write(int hierarchy, const char *file, const char *value)
{
	char path[600];
	long fd;

	put(put(put(path, cgroup.path[hierarchy]), "/"), file);
	fd = must(sys(__NR_openat, AT_FDCWD, path, O_WRONLY), path);
	must(sys(__NR_write, fd, value, length(value)), path);
	sys(__NR_close, fd);
}

/* A new v1 cpuset is empty and takes no process before it has its parent's values. */
static void cpuset_inherit(int hierarchy)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (int i = 0; i < 2; i++) {
		char path[600], value[256] = { 0 };
		long fd;

		put(put(put(path, cgroup.path[hierarchy]), "/../"), files[i]);
		fd = must(sys(__NR_openat, AT_FDCWD, path, O_RDONLY), path);
		must(sys(__NR_read, fd, value, sizeof(value) - 1), path);
		sys(__NR_close, fd);
		cgroup_write(hierarchy, files[i], value);
	}
}

/* `resources.devices` denies all; the default devices of config-linux.md stay usable. */
static void devices_v1(int hierarchy)
{
	static const char *const allow[] = {
		"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm",
		"c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
	};

	cgroup_write(hierarchy, "devices.deny", "a");
	for (word i = 0; i < sizeof(allow) / sizeof(allow[0]); i++)
		cgroup_write(hierarchy, "devices.allow", allow[i]);
}

#define LOAD(reg, off)          { BPF_LDX | BPF_W | BPF_MEM, reg, BPF_REG_1, off, 0 }
#define ALU(op, reg, value)     { BPF_ALU | (op) | BPF_K, reg, 0, 0, value }
#define JUMP(op, reg, val, to)  { BPF_JMP | (op) | BPF_K, reg, 0, to, val }
#define RESULT(value)           { BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value }
#define EXIT                    { BPF_JMP | BPF_EXIT, 0, 0, 0, 0 }

/* The same rules for v2; see BPF_PROG_TYPE_CGROUP_DEVICE in linux/bpf.h. */
static void devices_v2(void)
{
	struct bpf_insn program[] = {
		LOAD(BPF_REG_2, 0), /* access << 16 | type */
		LOAD(BPF_REG_4, 4), /* major */
		LOAD(BPF_REG_5, 8), /* minor */
		{ BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0 },
		ALU(BPF_RSH, BPF_REG_3, 16),
		JUMP(BPF_JEQ, BPF_REG_3, BPF_DEVCG_ACC_MKNOD, 13), /* mknod of any: allow */
		ALU(BPF_AND, BPF_REG_2, 0xffff),
		JUMP(BPF_JNE, BPF_REG_2, BPF_DEVCG_DEV_CHAR, 9), /* a block device: deny */
		JUMP(BPF_JEQ, BPF_REG_4, 136, 10),               /* any pts: allow */
		JUMP(BPF_JNE, BPF_REG_4, 5, 1),
		JUMP(BPF_JLE, BPF_REG_5, 2, 8), /* tty, console, ptmx: allow */
		JUMP(BPF_JNE, BPF_REG_4, 1, 5), /* deny */
		JUMP(BPF_JEQ, BPF_REG_5, 3, 6), /* null: allow */
		JUMP(BPF_JEQ, BPF_REG_5, 5, 5), /* zero */
		JUMP(BPF_JEQ, BPF_REG_5, 7, 4), /* full */
		JUMP(BPF_JEQ, BPF_REG_5, 8, 3), /* random */
		JUMP(BPF_JEQ, BPF_REG_5, 9, 2), /* urandom */
		RESULT(0),
		EXIT,
		RESULT(1),
		EXIT,
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insn_cnt = sizeof(program) / sizeof(program[0]),
		.insns = (word)program,
		.license = (word)"GPL",
	};
	union bpf_attr attach = { .attach_type = BPF_CGROUP_DEVICE, .target_fd = cgroup.v2_fd };

	attach.attach_flags = BPF_F_ALLOW_MULTI;
	attach.attach_bpf_fd = must(sys(__NR_bpf, BPF_PROG_LOAD, &load, sizeof(load)), "bpf load");
	must(sys(__NR_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)), "bpf attach");
	sys(__NR_close, attach.attach_bpf_fd);
}

/*
 * cgroup_open opens what joining needs. A single thread that writes "0" to
 * `tasks` moves itself without the lock that a write of a pid to cgroup.procs
 * takes (cgroup_threadgroup_rwsem, whose writers wait for an RCU period).
 */
static void cgroup_open(void)
{
	char path[600];

	for (int i = 0; i < cgroup.v1_count; i++) {
		put(put(path, cgroup.path[i]), "/tasks");
		cgroup.tasks[i] = must(sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC), path);
	}
	if (cgroup.v2 >= 0)
		cgroup.v2_fd = must(sys(__NR_openat, AT_FDCWD, cgroup.path[cgroup.v2],
					O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open cgroup");
}

static void cgroup_create(void)
{
	for (int i = 0; i < cgroup.count; i++)
		must(sys(__NR_mkdirat, AT_FDCWD, cgroup.path[i], 0755), cgroup.path[i]);
	for (int i = 0; i < cgroup.v1_count; i++) {
		if (starts(cgroup.name[i], "cpuset"))
			cpuset_inherit(i);
		if (starts(cgroup.name[i], "devices"))
			devices_v1(i);
	}
	cgroup_open();
	if (cgroup.v1_count == 0)
		devices_v2();
}

/* cgroup_join moves the caller, the container's first process, into the v1 cgroups. */
static void cgroup_join(void)
{
	for (int i = 0; i < cgroup.v1_count; i++)
		must(sys(__NR_write, cgroup.tasks[i], "0", 1), "join cgroup");
}

static void cgroup_remove(void)
{
	for (int i = 0; i < cgroup.count; i++)
		must(sys(__NR_unlinkat, AT_FDCWD, cgroup.path[i], AT_REMOVEDIR), "rmdir cgroup");
}

/* cgroup_mount mounts what `mounts` of the default spec asks for at sys/fs/cgroup. */
static void cgroup_mount(void)
{
	const word flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;

	if (cgroup.namespaced) {
		must(sys(__NR_mount, "cgroup", "sys/fs/cgroup", "cgroup2", flags | MS_RDONLY, NULL), "mount cgroup2");
		return;
	}
	if (cgroup.v1_count == 0) {
		must(sys(__NR_mount, cgroup.path[0], "sys/fs/cgroup", NULL, MS_BIND, NULL), "bind cgroup");
		must(sys(__NR_mount, NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL), "cgroup ro");
		return;
	}
	must(sys(__NR_mount, "tmpfs", "sys/fs/cgroup", "tmpfs", flags, "mode=755"), "mount cgroup tmpfs");
	for (int i = 0; i < cgroup.count; i++) {
		char target[128];

		put(put(target, "sys/fs/cgroup/"), cgroup.name[i]);
		must(sys(__NR_mkdirat, AT_FDCWD, target, 0755), target);
		must(sys(__NR_mount, cgroup.path[i], target, NULL, MS_BIND, NULL), target);
		must(sys(__NR_mount, NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL), target);
	}
	must(sys(__NR_mount, NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL), "cgroup ro");
}
