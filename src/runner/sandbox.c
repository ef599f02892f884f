#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#define MEMORY ((rlim_t)4 << 30)	/* address space; the largest job was seen to need a quarter of it */

/* Sanitizers map terabytes that they never touch. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

bool lp_sandbox_follow_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() != 1;		/* it may have ended before the line above */
}

static void limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit r;

	if (getrlimit(what, &r) == 0 && (r.rlim_cur == RLIM_INFINITY || r.rlim_cur > most)) {
		r.rlim_cur = most;
		setrlimit(what, &r);
	}
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

static bool restrict_files(const char *models)
{
	static const char *const system[] = { "/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev" };
	struct landlock_rules handled = { .handled = FS_VERSION_1 };
	int rules = (int)syscall(LANDLOCK_CREATE, &handled, sizeof handled, 0);

	if (rules < 0)
		return false;
	allow_reading(rules, models);
	for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
		allow_reading(rules, system[i]);
	bool done = syscall(LANDLOCK_RESTRICT, rules, 0) == 0;

	close(rules);
	return done;
}

/* ---- seccomp: calls that a runner never needs once it listens ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE
#define REFUSE(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static bool restrict_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE(SYS_execve),
		REFUSE(SYS_execveat),
		REFUSE(SYS_socket),
		REFUSE(SYS_connect),
		REFUSE(SYS_bind),
		REFUSE(SYS_listen),
		REFUSE(SYS_ptrace),
		REFUSE(SYS_process_vm_readv),
		REFUSE(SYS_process_vm_writev),
		REFUSE(SYS_mount),
		REFUSE(SYS_umount2),
		REFUSE(SYS_pivot_root),
		REFUSE(SYS_unshare),
		REFUSE(SYS_setns),
		REFUSE(SYS_bpf),
		REFUSE(SYS_keyctl),
		REFUSE(SYS_add_key),
		REFUSE(SYS_request_key),
		REFUSE(SYS_init_module),
		REFUSE(SYS_finit_module),
		REFUSE(SYS_kexec_load),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof filter / sizeof filter[0], .filter = filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
static bool restrict_calls(void)
{
	return false;
}
#endif

void lp_sandbox_enter(struct lp_sandbox *out, const char *models)
{
#ifndef SANITIZED
	limit(RLIMIT_AS, MEMORY);
#endif
	limit(RLIMIT_CORE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	out->files = restrict_files(models);
	out->calls = restrict_calls();
}
