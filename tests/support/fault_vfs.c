/* Passes everything on to SQLite's own VFS, counts, and keeps of each file what its last sync made safe. */
#include "fault_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct image {
	struct image *next;
	char *path;
	char *safe, *now;	/* as of the last sync, and of the last write */
	size_t safe_len, now_len;
};

struct faulty {
	sqlite3_file base;
	struct image *image;	/* NULL: a temporary file */
	sqlite3_file *real;
};

static struct {
	pthread_mutex_t mutex;
	sqlite3_vfs vfs, *real;
	struct image *images;
	int operations;
	int left;		/* until failing; -1: never */
	int rc;
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .left = -1 };

static void lock(void)
{
	pthread_mutex_lock(&disk.mutex);
}

static void unlock(void)
{
	pthread_mutex_unlock(&disk.mutex);
}

/* SQLITE_OK, or what this operation must fail with. */
static int operate(int io_error)
{
	int rc = SQLITE_OK;

	lock();
	if (disk.left == 0)
		rc = disk.rc == SQLITE_FULL ? SQLITE_FULL : io_error;
	else
		disk.operations++;
	if (disk.left > 0)
		disk.left--;
	unlock();
	return rc;
}

static struct faulty *of(sqlite3_file *file)
{
	return (struct faulty *)(void *)file;
}

static sqlite3_file *real(sqlite3_file *file)
{
	return of(file)->real;
}

static int on_close(sqlite3_file *file)
{
	int rc = real(file)->pMethods->xClose(real(file));

	free(real(file));
	return rc;
}

static int on_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
	return real(file)->pMethods->xRead(real(file), to, n, at);
}

static void note_size(struct image *image, size_t len)
{
	if (len > image->now_len) {
		image->now = realloc(image->now, len);
		if (!image->now)
			abort();
		memset(image->now + image->now_len, 0, len - image->now_len);
	}
	image->now_len = len;
}

static int on_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
	struct image *image = of(file)->image;
	int rc = operate(SQLITE_IOERR_WRITE);

	if (rc == SQLITE_OK)
		rc = real(file)->pMethods->xWrite(real(file), from, n, at);
	if (rc != SQLITE_OK || !image)
		return rc;
	lock();
	if ((size_t)at + (size_t)n > image->now_len)
		note_size(image, (size_t)at + (size_t)n);
	memcpy(image->now + at, from, (size_t)n);
	unlock();
	return SQLITE_OK;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct image *image = of(file)->image;
	int rc = operate(SQLITE_IOERR_TRUNCATE);

	if (rc == SQLITE_OK)
		rc = real(file)->pMethods->xTruncate(real(file), size);
	if (rc == SQLITE_OK && image) {
		lock();
		note_size(image, (size_t)size);
		unlock();
	}
	return rc;
}

static int on_sync(sqlite3_file *file, int flags)
{
	struct image *image = of(file)->image;
	int rc = operate(SQLITE_IOERR_FSYNC);

	(void)flags;		/* the real disk of a test need not be waited for */
	if (rc != SQLITE_OK || !image)
		return rc;
	lock();
	free(image->safe);
	image->safe = malloc(image->now_len + 1);
	if (!image->safe)
		abort();
	if (image->now_len)
		memcpy(image->safe, image->now, image->now_len);
	image->safe_len = image->now_len;
	unlock();
	return SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real(file)->pMethods->xFileSize(real(file), size);
}

static int on_lock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xLock(real(file), level);
}

static int on_unlock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xUnlock(real(file), level);
}

static int on_check(sqlite3_file *file, int *out)
{
	return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int on_control(sqlite3_file *file, int op, void *arg)
{
	if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE || op == SQLITE_FCNTL_MMAP_SIZE)
		return SQLITE_NOTFOUND;		/* no writes behind our back */
	return real(file)->pMethods->xFileControl(real(file), op, arg);
}

static int on_sector(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int on_traits(sqlite3_file *file)
{
	(void)file;
	return 0;		/* a disk that promises nothing */
}

static int on_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}

static int on_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}

static void on_shm_barrier(sqlite3_file *file)
{
	real(file)->pMethods->xShmBarrier(real(file));
}

static int on_shm_unmap(sqlite3_file *file, int remove)
{
	return real(file)->pMethods->xShmUnmap(real(file), remove);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,		/* without memory mapping */
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check,
	.xFileControl = on_control,
	.xSectorSize = on_sector,
	.xDeviceCharacteristics = on_traits,
	.xShmMap = on_shm_map,
	.xShmLock = on_shm_lock,
	.xShmBarrier = on_shm_barrier,
	.xShmUnmap = on_shm_unmap,
};

static struct image **find(const char *path)
{
	struct image **at = &disk.images;

	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	return at;
}

static void forget(struct image **at)
{
	struct image *image = *at;

	if (!image)
		return;
	*at = image->next;
	free(image->path);
	free(image->safe);
	free(image->now);
	free(image);
}

/* What is on disk when the store opens is taken as safe. */
static struct image *know(const char *path, sqlite3_file *file)
{
	sqlite3_int64 size = 0;
	struct image *image;

	lock();
	image = *find(path);
	if (!image) {
		image = calloc(1, sizeof(*image));
		if (!image)
			abort();
		image->path = strdup(path);
		image->next = disk.images;
		disk.images = image;
		file->pMethods->xFileSize(file, &size);
		note_size(image, (size_t)size);
		if (size && file->pMethods->xRead(file, image->now, (int)size, 0) == SQLITE_OK) {
			image->safe = malloc((size_t)size);
			memcpy(image->safe, image->now, (size_t)size);
			image->safe_len = (size_t)size;
		}
	}
	unlock();
	return image;
}

static int on_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags, int *out)
{
	sqlite3_file *real_file = calloc(1, (size_t)disk.real->szOsFile);
	struct faulty *faulty = of(file);

	(void)vfs;
	if (!real_file)
		abort();
	int rc = disk.real->xOpen(disk.real, path, real_file, flags, out);
	if (rc != SQLITE_OK) {
		free(real_file);
		faulty->base.pMethods = NULL;
		return rc;
	}
	faulty->real = real_file;
	faulty->image = path ? know(path, real_file) : NULL;
	faulty->base.pMethods = &methods;
	return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	int rc = disk.real->xDelete(disk.real, path, sync);

	(void)vfs;
	lock();
	forget(find(path));
	unlock();
	return rc;
}

void fault_vfs_open(void)
{
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.pNext = NULL;
	disk.vfs.zName = "fault";
	disk.vfs.szOsFile = sizeof(struct faulty);
	disk.vfs.xOpen = on_open;
	disk.vfs.xDelete = on_delete;
	disk.operations = 0;
	disk.left = -1;
	sqlite3_vfs_register(&disk.vfs, 0);
}

void fault_vfs_for_all(void)
{
	sqlite3_vfs_register(&disk.vfs, 1);
}

void fault_vfs_close(void)
{
	while (disk.images)
		forget(&disk.images);
	sqlite3_vfs_unregister(&disk.vfs);
}

void fault_vfs_fail_after(int operations, enum fault fault)
{
	lock();
	disk.left = operations;
	disk.rc = fault == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR;
	unlock();
}

void fault_vfs_heal(void)
{
	lock();
	disk.left = -1;
	unlock();
}

int fault_vfs_operations(void)
{
	lock();
	int operations = disk.operations;
	unlock();
	return operations;
}

static void put_file(const char *folder, const struct image *image, const char *bytes, size_t len)
{
	const char *slash = strrchr(image->path, '/');
	char path[4096];

	if (!len)
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, slash ? slash + 1 : image->path);
	FILE *file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
		abort();
}

void fault_vfs_power_cut(const char *folder, bool lucky)
{
	lock();
	for (struct image *image = disk.images; image; image = image->next)
		put_file(folder, image, lucky ? image->now : image->safe, lucky ? image->now_len : image->safe_len);
	unlock();
}

#define SECTOR 512

static bool made_it(uint64_t *dice)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return *dice >> 63;
}

static void put_torn(const char *folder, const struct image *image, uint64_t *dice)
{
	size_t most = image->now_len > image->safe_len ? image->now_len : image->safe_len;
	char *torn = calloc(1, most + 1);
	size_t len = image->safe_len;

	if (!torn)
		abort();
	if (image->safe_len)
		memcpy(torn, image->safe, image->safe_len);
	for (size_t at = 0; at < image->now_len; at += SECTOR) {
		size_t n = image->now_len - at < SECTOR ? image->now_len - at : SECTOR;

		if (!made_it(dice))
			continue;
		memcpy(torn + at, image->now + at, n);
		len = at + n > len ? at + n : len;
	}
	/* What was cut off since then may be so, or not. */
	if (image->now_len < image->safe_len && made_it(dice))
		len = image->now_len;
	put_file(folder, image, torn, len);
	free(torn);
}

void fault_vfs_torn_cut(const char *folder, uint64_t seed)
{
	uint64_t dice = (seed + 1) * 0x9e3779b97f4a7c15;

	lock();
	for (struct image *image = disk.images; image; image = image->next)
		put_torn(folder, image, &dice);
	unlock();
}
