#include "sandbox.h"

#include <sys/syscall.h>

#include <lpd/base/sanitizer.h>
#include <lpd/io/sandbox.h>

#define MEMORY (UINT64_C(4) << 30)	/* address space; the largest job was seen to need a quarter of it */
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Calls that a runner never needs once it listens. */
static const int refused[] = {
#ifndef LP_SANITIZED			/* at its end, the look for leaks stops the other threads by it */
	SYS_ptrace,
#endif
	SYS_execve, SYS_execveat, SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_unshare, SYS_setns, SYS_bpf, SYS_keyctl,
	SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module, SYS_kexec_load,
};

void lp_sandbox_enter(struct lp_sandbox *out, const char *models)
{
	const char *const folders[] = { models, "/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev" };

	lp_sandbox_limit_memory(MEMORY);
	lp_sandbox_begin();
	out->files = lp_sandbox_files(folders, COUNT(folders));
	out->calls = lp_sandbox_refuse(refused, COUNT(refused));
}
