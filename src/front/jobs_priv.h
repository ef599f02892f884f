/* The row that jobs.c (its life), jobs_line.c (its form on disk) and jobs_serve.c (its answers) share. */
#ifndef LPD_FRONT_JOBS_PRIV_H
#define LPD_FRONT_JOBS_PRIV_H

#include <lpd/base/list.h>
#include <lpd/base/map.h>
#include <lpd/front/jobs.h>
#include <lpd/io/capture.h>
#include <lpd/io/timer.h>

#define LP_KEPT_MEDIA 64	/* of one job: more than any pipeline makes (num_images and their like are bounded below) */

struct lp_jobs {
	struct lp_jobs_want want;
	struct lp_scope *scope;
	struct lp_map *by_id, *by_key, *by_media;	/* rows, rows, struct kept_medium */
	struct lp_list running, ended;			/* oldest first: of their beginning, of their end */
	struct lp_spool_budget files;			/* of spools that are windows on our files: counted elsewhere */
	struct lp_timer timer;
	int count, writing;		/* rows; files under way */
	int n_other_form, n_unread, n_beyond;	/* files that the start found and removed */
};

struct kept_medium {
	struct lp_kept *kept;
	struct lp_span path, type;
	int64_t at, size;		/* in the file */
	struct lp_spool *spool;		/* until it is there */
};

struct lp_kept {
	struct lp_jobs *jobs;
	struct lp_scope *scope;
	struct lp_link link;
	struct lp_span id, pipeline, model, request_id, key;
	int64_t form;			/* of its file; -1: not known */
	struct lp_span job;		/* whose media they are; empty after a restart */
	uint8_t fingerprint[32];
	bool asynchronous, cancelled, ended;
	bool dropped;			/* only its file is waited for */
	enum lp_kept_state state;
	int64_t created, finished, until;	/* wall */
	enum lp_code code;
	int status;			/* of the reply */
	struct lp_span type;
	const char *path;		/* of the file */
	int64_t bytes;			/* of the file, counted in the media's budget */
	bool on_disk;			/* with reply and media: what follows is closed */

	/* Until then: */
	struct lp_scope *live;
	struct lp_capture *capture;	/* NULL: the row was read from a file, or its reply is told from its code */
	struct lp_spool *body;
	struct lp_list askers;		/* who waits for the head, or for the mark */
	bool writing;			/* the file; never two at once */
	bool marked;			/* it says that there is such a job, or never will */

	int64_t body_at, body_size;	/* in the file */
	struct kept_medium *media;
	int n_media;
};

/* Somebody who waits for the row, in the scope of his exchange. */
struct kept_asker {
	struct lp_link link;
	struct lp_exchange *ex;
	bool for_mark;			/* 202 when it is on disk; else the reply when its head has come */
	bool again;
};

#define LP_KEPT_FORM 1	/* a file of another form is none of ours */

/* jobs_line.c: the first line of a row's file.  Reading fills everything but scope and tables; false: it is no row of
 * ours, or its lengths are not those of the file. */
void lp_kept_write_line(const struct lp_kept *kept, struct lp_buf *to);
bool lp_kept_read_line(struct lp_kept *kept, struct lp_span line, int64_t size);

/* jobs_serve.c: something came that askers may wait for. */
void lp_kept_tell_askers(struct lp_kept *kept);

#endif
