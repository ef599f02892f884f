/* pwrite is wrapped at link time: our own code meets a full disk, libraries do not. */
#include "sim_disk.h"

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at);

static long long room = -1;

void sim_disk_room(long long bytes)
{
	room = bytes;
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at)
{
	if (room >= 0 && (long long)n > room) {
		errno = ENOSPC;
		return -1;
	}
	if (room >= 0)
		room -= (long long)n;
	return __real_pwrite(fd, from, n, at);
}
