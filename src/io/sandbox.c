/* io/sandbox - see the header. */
#include <lpd/io/sandbox.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <lpd/base/assert.h>
#include <lpd/base/sanitizer.h>

bool lp_sandbox_follow_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() != 1;		/* it may have ended before the line above */
}

void lp_sandbox_limit(int resource, uint64_t most)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)resource, &r) == 0 && (r.rlim_cur == RLIM_INFINITY || r.rlim_cur > most)) {
		r.rlim_cur = most;
		setrlimit((__rlimit_resource_t)resource, &r);
	}
}

void lp_sandbox_limit_memory(uint64_t most)
{
#ifndef LP_SANITIZED
	lp_sandbox_limit(RLIMIT_AS, most);
#else
	(void)most;
#endif
}

void lp_sandbox_begin(void)
{
	lp_sandbox_limit(RLIMIT_CORE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* ---- Landlock: its few structs, since Debian 12's headers may be older than the kernel ---- */

#define LANDLOCK_CREATE 444
#define LANDLOCK_ADD 445
#define LANDLOCK_RESTRICT 446
#define RULE_BENEATH 1
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_VERSION_1 ((UINT64_C(1) << 13) - 1)	/* every right of the first version */

struct landlock_rules {
	uint64_t handled;
};

struct landlock_below {
	uint64_t allowed;
	int32_t folder;
} __attribute__((packed));

static void allow_reading(int rules, const char *path)
{
	struct landlock_below below = { .allowed = FS_READ_FILE | FS_READ_DIR, .folder = open(path, O_PATH | O_CLOEXEC) };

	if (below.folder < 0)
		return;
	syscall(LANDLOCK_ADD, rules, RULE_BENEATH, &below, 0);
	close(below.folder);
}

bool lp_sandbox_files(const char *const *folders, int n)
{
	struct landlock_rules handled = { .handled = FS_VERSION_1 };
	int rules = (int)syscall(LANDLOCK_CREATE, &handled, sizeof handled, 0);

	if (rules < 0)
		return false;
	for (int i = 0; i < n; i++)
		allow_reading(rules, folders[i]);
	bool done = syscall(LANDLOCK_RESTRICT, rules, 0) == 0;

	close(rules);
	return done;
}

/* ---- seccomp: a short program of Berkeley's packet filter ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define CALLS_MAX 120			/* a jump reaches 255 steps; each call takes two */

#ifdef ARCHITECTURE
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)

/* Another architecture's numbers mean other calls, so its calls are all refused. */
static bool filter_calls(const int *calls, int n, uint32_t listed, uint32_t others)
{
	const struct sock_filter head[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, REFUSED),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_filter filter[sizeof(head) / sizeof(*head) + 2 * CALLS_MAX + 1];
	unsigned short len = 0;

	lp_assert(n <= CALLS_MAX);
	for (size_t i = 0; i < sizeof(head) / sizeof(*head); i++)
		filter[len++] = head[i];
	for (int i = 0; i < n; i++) {
		filter[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1);
		filter[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, listed);
	}
	filter[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, others);

	struct sock_fprog program = { .len = len, .filter = filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool lp_sandbox_refuse(const int *calls, int n)
{
	return filter_calls(calls, n, REFUSED, SECCOMP_RET_ALLOW);
}

bool lp_sandbox_only(const int *calls, int n)
{
#ifdef LP_SANITIZED
	(void)calls;
	(void)n;
	return false;
#else
	return filter_calls(calls, n, SECCOMP_RET_ALLOW, REFUSED);
#endif
}
#else
bool lp_sandbox_refuse(const int *calls, int n)
{
	(void)calls;
	(void)n;
	return false;
}

bool lp_sandbox_only(const int *calls, int n)
{
	return lp_sandbox_refuse(calls, n);
}
#endif
