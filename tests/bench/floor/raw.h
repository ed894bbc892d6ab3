/*
 * raw.h - system calls without a C library, so that what is measured is the
 * kernel and not somebody's start-up code. amd64 and arm64.
 *
 * Constants and structures come from the kernel's own headers (linux-libc-dev).
 */
#ifndef RAW_H
#define RAW_H

#include <asm/unistd.h>

typedef unsigned long word;
#define NULL ((void *)0)

#ifndef PROGRAM
#error "define PROGRAM, the name that failures are reported under"
#endif

#if defined(__x86_64__)

/* syscall(2): number in rax, arguments in rdi rsi rdx r10 r8 r9. */
static inline long sys6(long n, word a, word b, word c, word d, word e, word f)
{
	long ret;
	register word r10 __asm__("r10") = d;
	register word r8 __asm__("r8") = e;
	register word r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* The kernel enters with argc at the top of the stack, argv and envp above it. */
__asm__(".globl _start\n_start:\n\txor %ebp,%ebp\n\tmov %rsp,%rdi\n\tand $-16,%rsp\n\tcall entry\n");

#elif defined(__aarch64__)

/* syscall(2): number in x8, arguments in x0..x5. */
static inline long sys6(long n, word a, word b, word c, word d, word e, word f)
{
	register word x8 __asm__("x8") = n;
	register word x0 __asm__("x0") = a;
	register word x1 __asm__("x1") = b;
	register word x2 __asm__("x2") = c;
	register word x3 __asm__("x3") = d;
	register word x4 __asm__("x4") = e;
	register word x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}

__asm__(".globl _start\n_start:\n\tmov x29,#0\n\tmov x30,#0\n\tmov x0,sp\n\tbl entry\n");

#else
#error "raw.h knows amd64 and arm64 only"
#endif

/* sys(number, arguments...): absent arguments are zero. */
#define SYS_PICK(n, a, b, c, d, e, f, ...) \
	sys6(n, (word)(a), (word)(b), (word)(c), (word)(d), (word)(e), (word)(f))
#define sys(...) SYS_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#define AT_FDCWD (-100)

static inline word length(const char *s)
{
	word n = 0;

	while (s[n])
		n++;
	return n;
}

/* gcc turns loops over bytes into calls of these two. */
void *memset(void *to, int c, word n)
{
	char *p = to;

	while (n--)
		*p++ = c;
	return to;
}

void *memcpy(void *to, const void *from, word n)
{
	char *p = to;
	const char *q = from;

	while (n--)
		*p++ = *q++;
	return to;
}

/* put appends s at p and returns the new end; the caller knows that it fits. */
static inline char *put(char *p, const char *s)
{
	while (*s)
		*p++ = *s++;
	*p = 0;
	return p;
}

static inline char *put_number(char *p, word n)
{
	char digits[20];
	int i = 0;

	do
		digits[i++] = '0' + n % 10;
	while ((n /= 10));
	while (i)
		*p++ = digits[--i];
	*p = 0;
	return p;
}

static inline word number(const char *s)
{
	word n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (*s++ - '0');
	return n;
}

static inline int starts(const char *s, const char *with)
{
	while (*with)
		if (*s++ != *with++)
			return 0;
	return 1;
}

static inline void __attribute__((noreturn)) quit(int code)
{
	for (;;)
		sys(__NR_exit_group, code);
}

/* must ends the program, naming the step, when a system call failed. */
static long must(long ret, const char *step)
{
	char line[160], *p;

	if (ret >= 0)
		return ret;
	p = put(line, PROGRAM ": ");
	p = put(p, step);
	p = put(p, ": errno ");
	p = put_number(p, -ret);
	p = put(p, "\n");
	sys(__NR_write, 2, line, p - line);
	quit(126);
}

#endif
