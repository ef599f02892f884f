/* io/spool_priv - what spool.c (lives, writing) and spool_read.c share. */
#ifndef LPD_IO_SPOOL_PRIV_H
#define LPD_IO_SPOOL_PRIV_H

#include <lpd/base/buf.h>
#include <lpd/base/list.h>
#include <lpd/io/spool.h>

#define SPOOL_PIECE (256 * 1024)	/* what goes to or comes from the disk at once */

struct spool_store {
	struct lp_loop *loop;
	struct lp_spool_budget *budget;	/* NULL: no user is left, and what we held is given back */
	int refs;			/* one for all users, one for each work in the pool */
	struct lp_list handles;		/* the users */
	struct lp_list readers;
	struct lp_scope *works;		/* of work in the pool: it outlives the users' scopes */
	struct lp_buf memory;		/* everything; once spilled, the head */
	bool spilled, ended, writing;
	int64_t size;
	int64_t saved;			/* bytes on disk, from the start without a gap */
	int fd;				/* -1: no file yet, or path is not yet open */
	char *path;			/* of somebody else's file, where the bytes stand from base on; NULL: our own */
	int64_t base;
	struct lp_list queue;		/* pieces not on their way, the last may still grow */
	struct lp_err err;
};

struct lp_spool {
	struct spool_store *store;
	struct lp_link link;
	bool writer;
	void (*on_event)(void *self);
	void *self;
	struct lp_ready ready;
};

struct lp_spool_reader {
	struct spool_store *store;
	struct lp_link link;
	struct lp_scope *scope;
	int64_t pos;
	bool fetching, waits;
	struct chunk *now, *next;	/* now holds pos, next follows; either may be NULL */
	void (*on_event)(void *self);
	void *self;
	struct lp_ready ready;
	struct lp_err err;
};

/* One holder of the store less; the last frees it. */
void lp_spool_release(struct spool_store *store);
/* A handle or reader was taken out of its list. */
void lp_spool_user_gone(struct spool_store *store);
/* There may be more for a reader that waits. */
void lp_spool_tell_reader(struct lp_spool_reader *reader);

#endif
