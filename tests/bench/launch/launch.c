/*
 * launch - starts one command at a time and measures it.
 *
 * Why not from Go: the peak RSS that wait4(2) reports for a command includes
 * that of the program which forked it (exec keeps the high-water mark of the
 * memory it replaces), and a Go program is larger than most of what is measured
 * here. This one stays below 100 KiB, and nothing of it runs between the clock
 * readings but clone, execve and wait4.
 *
 * Protocol on descriptor 3, a SOCK_SEQPACKET socket, one message each way:
 *
 *	request  { u64 idle_ns; u32 argc; u32 0 } stdout\0 stderr\0 argv[0]\0 ...
 *	reply    { u64 wall_ns user_us sys_us; u64 maxrss_kib; u64 status }
 *
 * The idle time passes here, right before the command starts. End of file on
 * the socket ends the program.
 */
#define PROGRAM "launch"
#include "raw.h"
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/time.h>
#include <linux/wait.h>

struct request {
	unsigned long long idle_ns;
	unsigned int argc, unused;
	char strings[60000];
};

struct reply {
	unsigned long long wall_ns, user_us, sys_us, maxrss_kib, status;
};

static struct request req;
static char *argv[512], **envp;
static int out[3];

static unsigned long long now(void)
{
	struct timespec t;

	sys(__NR_clock_gettime, CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Its own function, never inlined: the child of vfork shares the stack. */
static void __attribute__((noinline, noreturn)) child(void)
{
	sys(__NR_dup3, out[1], 1, 0);
	sys(__NR_dup3, out[2], 2, 0);
	sys(__NR_execve, argv[0], argv, envp);
	quit(127);
}

static void __attribute__((noinline)) measure(struct reply *r)
{
	struct timespec idle = { req.idle_ns / 1000000000, req.idle_ns % 1000000000 };
	struct rusage usage;
	unsigned long long start;
	int status = 0;
	long pid;

	if (req.idle_ns)
		sys(__NR_nanosleep, &idle, NULL);
	start = now();
	pid = sys(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		child();
	must(pid, "clone");
	must(sys(__NR_wait4, pid, &status, 0, &usage), "wait4");
	r->wall_ns = now() - start;
	r->user_us = usage.ru_utime.tv_sec * 1000000ULL + usage.ru_utime.tv_usec;
	r->sys_us = usage.ru_stime.tv_sec * 1000000ULL + usage.ru_stime.tv_usec;
	r->maxrss_kib = usage.ru_maxrss;
	r->status = status;
}

/* The strings of a request, cut into the two output files and argv. */
static void parse(void)
{
	char *s = req.strings;

	for (int i = 1; i <= 2; i++) {
		out[i] = must(sys(__NR_openat, AT_FDCWD, s,
				  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), s);
		s += length(s) + 1;
	}
	for (unsigned int i = 0; i < req.argc && i < 511; i++) {
		argv[i] = s;
		argv[i + 1] = NULL;
		s += length(s) + 1;
	}
}

void __attribute__((noreturn, used)) entry(word *sp)
{
	struct reply r;

	envp = (char **)(sp + sp[0] + 2);
	sys(__NR_fcntl, 3, F_SETFD, FD_CLOEXEC);
	while (sys(__NR_recvfrom, 3, &req, sizeof(req), 0, 0, 0) > 0) {
		parse();
		measure(&r);
		sys(__NR_close, out[1]);
		sys(__NR_close, out[2]);
		must(sys(__NR_sendto, 3, &r, sizeof(r), 0, 0, 0), "send");
	}
	quit(0);
}
