/* io/file - small files at start-up: read whole, written whole (temporary, fsync, rename). */
#ifndef LPD_IO_FILE_H
#define LPD_IO_FILE_H

#include <lpd/base/err.h>
#include <lpd/base/scope.h>

/* LP_NOT_FOUND when there is none, LP_TOO_LARGE beyond the limit, LP_CONFIG otherwise, in words. */
enum lp_code lp_file_read(struct lp_scope *scope, struct lp_span *out, const char *path, size_t limit,
			  struct lp_err *e) LP_MUST_USE;
enum lp_code lp_file_write(const char *path, struct lp_span bytes, unsigned mode, struct lp_err *e) LP_MUST_USE;
/* For who writes a file piece by piece, off the loop.  All of the bytes, from where fd stands; false: errno says why. */
bool lp_file_put(int fd, struct lp_span bytes);
/* A new name is safe only when the folder that it stands in is on disk. */
bool lp_file_sync_name(const char *path);
/* The folder, made with mode 0700 where missing (parents too). */
enum lp_code lp_folder_make(const char *path, struct lp_err *e) LP_MUST_USE;
/* A lock file held until the scope ends: a second holder gets LP_CONFIG naming the first's pid. */
enum lp_code lp_folder_lock(struct lp_scope *scope, const char *path, struct lp_err *e) LP_MUST_USE;
/* Plain files whose names begin with prefix, at most so many; the names, sorted, are in the scope.  TOO_LARGE: there
 * are more; NOT_FOUND: no such folder; CONFIG otherwise. */
struct lp_folder_look {
	const char *prefix;
	int most;
	struct lp_span *names;	/* filled in */
	int n;
};
enum lp_code lp_folder_list(struct lp_scope *scope, struct lp_folder_look *look, const char *path,
			    struct lp_err *e) LP_MUST_USE;
/* Remove plain files whose names begin with prefix: what an earlier run left. */
void lp_folder_sweep(const char *path, const char *prefix);

#endif
