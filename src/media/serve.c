/* media/serve - see the header.
 *
 * This process reads nothing that comes over a connection: it only forks.  The libraries are there already when
 * it does, so a job begins within a millisecond, and what goes wrong in one cannot reach the next. */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lpd/io/sandbox.h>

#include "job.h"

#define BACKLOG 128
#define MEMORY (UINT64_C(4) << 30)
#define REST 10000		/* microseconds, when the machine is short of something */

/* Not even the parent of the jobs can do any of these; what a job can do is a short list of its own. */
static const int refused[] = {
	SYS_execve, SYS_execveat, SYS_socket, SYS_connect, SYS_bind, SYS_ptrace, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_unshare, SYS_setns, SYS_bpf, SYS_keyctl,
	SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module, SYS_kexec_load,
};

static enum lp_code open_socket(int *out, const char *path, struct lp_err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return lp_fail(e, LP_CONFIG, "no socket can be opened at %s", path);
	memcpy(address.sun_path, path, strlen(path));
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0)
		return lp_fail(e, LP_CONFIG, "no socket can be opened at %s: %s", path, strerror(errno));
	*out = fd;
	return LP_OK;
}

/* As many jobs as processors, so that none waits for another; what comes beyond waits in the socket's row. */
static int jobs_at_once(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 2 ? 2 : n > 32 ? 32 : (int)n;
}

static void on_child(int number)
{
	(void)number;			/* only to interrupt accept() */
}

static void give_up_rights(void)
{
	const struct sigaction child = { .sa_handler = on_child };

	sigaction(SIGCHLD, &child, NULL);
	lp_sandbox_limit_memory(MEMORY);
	lp_sandbox_begin();
	lp_sandbox_files(NULL, 0);
	lp_sandbox_refuse(refused, sizeof(refused) / sizeof(*refused));
}

/* False: there is no process for it, and none to wait for. */
static bool start_job(int listener, int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGCHLD, SIG_DFL);
		close(listener);
		lp_job_run(fd);
		_exit(0);
	}
	close(fd);			/* without a process the node sees its connection end */
	return pid > 0;
}

/* Of a machine that has no more descriptors, memory or processes just now. */
static bool is_passing(int why)
{
	return why == EINTR || why == ECONNABORTED || why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM;
}

enum lp_code lp_serve(const char *path, struct lp_err *e)
{
	int listener = -1, jobs = 0, most = jobs_at_once();

	if (open_socket(&listener, path, e) != LP_OK)
		return e->code;
	lp_job_warm();
	give_up_rights();
	for (;;) {
		int fd;

		while (jobs > 0 && waitpid(-1, NULL, jobs < most ? WNOHANG : 0) > 0)
			jobs--;
		if (jobs >= most)
			continue;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && !is_passing(errno))
			return lp_fail(e, LP_INTERNAL, "no connection can be taken any more: %s", strerror(errno));
		if (fd < 0 && errno != EINTR)
			usleep(REST);
		if (fd >= 0)
			jobs += start_job(listener, fd);
	}
}
