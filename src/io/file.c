/* Files and folders at start-up, where waiting for the disk is allowed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/buf.h>
#include <lpd/io/file.h>

#define PIECE 65536
#define PIPE_WAIT 2000	/* ms */

static enum lp_code fail_errno(struct lp_err *e, const char *verb, const char *path)
{
	return lp_fail(e, errno == ENOENT ? LP_NOT_FOUND : LP_CONFIG, "cannot %s %s: %s", verb, path, strerror(errno));
}

/* A pipe whose writer takes his time.  The loop waits with us, so not for long. */
static bool comes_soon(int fd)
{
	struct pollfd asked = { .fd = fd, .events = POLLIN };

	return poll(&asked, 1, PIPE_WAIT) > 0;
}

/* Not by its size: what is read may be a pipe or grow meanwhile. */
static enum lp_code read_all(struct lp_buf *buf, int fd, const char *path, size_t limit, struct lp_err *e)
{
	for (;;) {
		ssize_t n = read(fd, lp_buf_room(buf, PIECE), PIECE);
		if (n < 0 && (errno == EINTR || (errno == EAGAIN && comes_soon(fd))))
			continue;
		if (n < 0)
			return fail_errno(e, "read", path);
		if (n == 0)
			return LP_OK;
		lp_buf_grew(buf, (size_t)n);
		if (buf->len > limit)
			return lp_fail(e, LP_TOO_LARGE, "%s is larger than %zu bytes", path, limit);
	}
}

enum lp_code lp_file_read(struct lp_scope *scope, struct lp_span *out, const char *path, size_t limit,
			  struct lp_err *e)
{
	struct lp_buf buf = { .len = 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* a pipe that nobody writes to is empty */

	if (fd < 0)
		return fail_errno(e, "open", path);
	enum lp_code code = read_all(&buf, fd, path, limit, e);
	close(fd);
	if (code == LP_OK)
		*out = lp_span_dup(scope, lp_buf_span(&buf));
	lp_buf_clear(&buf);
	return code;
}

bool lp_file_put(int fd, struct lp_span bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.at, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes = lp_span_skip(bytes, (size_t)n);
	}
	return true;
}

/* The folder that a path is in, as open wants it. */
static bool folder_of(char to[PATH_MAX], const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return lp_span_copy(to, PATH_MAX, LP_SPAN("."));
	size_t len = slash == path ? 1 : (size_t)(slash - path);
	return lp_span_copy(to, PATH_MAX, lp_span_of(path, len));
}

bool lp_file_sync_name(const char *path)
{
	char folder[PATH_MAX];

	if (!folder_of(folder, path))
		return false;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return synced;
}

enum lp_code lp_file_write(const char *path, struct lp_span bytes, unsigned mode, struct lp_err *e)
{
	char temporary[PATH_MAX];

	int n = snprintf(temporary, sizeof(temporary), "%s.new-XXXXXX", path);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return lp_fail(e, LP_CONFIG, "the path %.80s... is too long", path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return fail_errno(e, "make a file beside", path);
	bool written = fchmod(fd, mode) == 0 && lp_file_put(fd, bytes) && fsync(fd) == 0;
	int why = errno;
	close(fd);
	if (written && rename(temporary, path) == 0 && lp_file_sync_name(path))
		return LP_OK;
	errno = written ? errno : why;
	enum lp_code code = fail_errno(e, "write", path);
	unlink(temporary);
	return code;
}

enum lp_code lp_folder_make(const char *path, struct lp_err *e)
{
	char part[PATH_MAX];
	struct stat is;

	if (!*path || !lp_span_copy(part, sizeof(part), lp_span(path)))
		return lp_fail(e, LP_CONFIG, "'%.80s' is no path of a folder", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return fail_errno(e, "make the folder", part);
		*slash = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return fail_errno(e, "make the folder", path);
	if (stat(part, &is) < 0 || !S_ISDIR(is.st_mode))
		return lp_fail(e, LP_CONFIG, "%s is no folder", path);
	return LP_OK;
}

struct lock {
	int fd;
};

static void unlock(void *arg)
{
	struct lock *lock = arg;

	int failed = ftruncate(lock->fd, 0);
	(void)failed;		/* a stale number in an unlocked file misleads nobody */
	close(lock->fd);
}

static enum lp_code refuse_second(int fd, const char *path, struct lp_err *e)
{
	char pid[24];

	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
	close(fd);
	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return lp_fail(e, LP_CONFIG, "%s is in use by the process %s", path, *pid ? pid : "(unknown)");
}

/* flock, not fcntl: it also keeps two nodes of one process apart, and goes with the process. */
enum lp_code lp_folder_lock(struct lp_scope *scope, const char *path, struct lp_err *e)
{
	char file[PATH_MAX], pid[24];

	int n = snprintf(file, sizeof(file), "%s/lpd.lock", path);
	if (n < 0 || (size_t)n >= sizeof(file))
		return lp_fail(e, LP_CONFIG, "the path %.80s... is too long", path);
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return lp_fail(e, LP_CONFIG, "cannot open %s: %s", file, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return refuse_second(fd, path, e);
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || !lp_file_put(fd, lp_span_of(pid, (size_t)n))) {
		close(fd);
		return lp_fail(e, LP_CONFIG, "cannot write %s", file);
	}
	struct lock *lock = lp_new(scope, struct lock);
	lock->fd = fd;
	lp_defer(scope, unlock, lock);
	return LP_OK;
}

static bool is_plain(DIR *folder, const char *name)
{
	struct stat is;

	return fstatat(dirfd(folder), name, &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(is.st_mode);
}

void lp_folder_sweep(const char *path, const char *prefix)
{
	DIR *folder = opendir(path);

	lp_assert(*prefix);	/* an empty one would remove everything */
	if (!folder)
		return;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && is_plain(folder, entry->d_name))
			unlinkat(dirfd(folder), entry->d_name, 0);
	}
	closedir(folder);
}

static int by_name(const void *a, const void *b)
{
	const struct lp_span *x = a, *y = b;

	return strcmp(x->at, y->at);
}

enum lp_code lp_folder_list(struct lp_scope *scope, struct lp_folder_look *look, const char *path, struct lp_err *e)
{
	DIR *folder = opendir(path);
	enum lp_code code = LP_OK;

	if (!folder)
		return lp_fail(e, errno == ENOENT ? LP_NOT_FOUND : LP_CONFIG, "%s: %s", path, strerror(errno));
	look->names = lp_new_array(scope, struct lp_span, (size_t)look->most);
	look->n = 0;
	for (struct dirent *entry = readdir(folder); entry && code == LP_OK; entry = readdir(folder)) {
		if (strncmp(entry->d_name, look->prefix, strlen(look->prefix)) != 0 ||
		    !is_plain(folder, entry->d_name))
			continue;
		if (look->n == look->most)
			code = lp_fail(e, LP_TOO_LARGE, "%s holds more than %d files", path, look->most);
		else
			look->names[look->n++] = lp_span_dup(scope, lp_span(entry->d_name));
	}
	closedir(folder);
	qsort(look->names, (size_t)look->n, sizeof(*look->names), by_name);
	return code;
}
