/* io/parcel - a line of text and some spools in one file, which is there whole or not at all, also after a crash.
 *
 *   the line, without a newline of its own \n  bytes of the first spool  bytes of the second ...
 *
 * For what must be found again after a restart.  Who writes the line says in it how long the spools are. */
#ifndef LPD_IO_PARCEL_H
#define LPD_IO_PARCEL_H

#include <lpd/io/spool.h>

#define LP_PARCEL_LINE (64 * 1024)	/* bytes of the line, at most */

struct lp_parcel_want {
	struct lp_loop *loop;
	const char *path;			/* a file of that name is replaced */
	struct lp_span line;			/* copied */
	struct lp_spool *const *spools;		/* ready; shared, so their handles may go */
	int n_spools;
};
/* Written beside its place ("PATH-….new"), synced, and renamed.  on_done comes once, from the loop: LP_OK when it is
 * safe, LP_NO_ROOM or LP_STORE in words.  When the scope closes before, the file is
 * the old one or the new one, whole; who writes another at once does not know which of the two stays. */
void lp_parcel_write(struct lp_scope *scope, const struct lp_parcel_want *want,
		     void (*on_done)(void *self, const struct lp_err *why), void *self);
/* Off the loop; a file that is not there is fine. */
void lp_parcel_remove(struct lp_scope *scope, struct lp_loop *loop, const char *path);

/* At start only: the line of every parcel in the folder whose name begins with prefix; size is the file's.  What an
 * earlier run left half written is removed. */
void lp_parcel_each(const char *folder, const char *prefix,
		    void (*row)(void *self, const char *name, struct lp_span line, int64_t size), void *self);

#endif
