/* support/temp_dir - a folder for one test, gone afterwards (one level of plain files and folders). */
#ifndef TEMP_DIR_H
#define TEMP_DIR_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct temp_dir {
	char path[64];
	char file[PATH_MAX];	/* of the last temp_dir_file */
};

static inline void temp_dir_make(struct temp_dir *dir)
{
	snprintf(dir->path, sizeof(dir->path), "/tmp/lpd-test-XXXXXX");
	if (!mkdtemp(dir->path))
		abort();
}

static inline const char *temp_dir_file(struct temp_dir *dir, const char *name)
{
	snprintf(dir->file, sizeof(dir->file), "%s/%s", dir->path, name);
	return dir->file;
}

static inline int temp_dir_count(const char *path)
{
	DIR *folder = opendir(path);
	int n = 0;

	if (!folder)
		return -1;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(folder);
	return n;
}

static inline void temp_dir_remove_tree(const char *path, int depth)
{
	DIR *folder = depth > 0 ? opendir(path) : NULL;

	if (!folder) {
		unlink(path);
		rmdir(path);
		return;
	}
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		char below[PATH_MAX];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%.2000s/%s", path, entry->d_name);
		temp_dir_remove_tree(below, entry->d_type == DT_DIR ? depth - 1 : 0);
	}
	closedir(folder);
	rmdir(path);
}

static inline void temp_dir_remove(struct temp_dir *dir)
{
	temp_dir_remove_tree(dir->path, 5);
}

#endif
